import type { Score, Severity } from './model.ts';

/** The qualitative rating of a score (CVSS 3.1, section 5; 4.0, section 6). */
export function ratingOf(score: number): Severity {
  if (score >= 9) return 'CRITICAL';
  if (score >= 7) return 'HIGH';
  if (score >= 4) return 'MEDIUM';
  return score > 0 ? 'LOW' : 'INFORMATIONAL';
}

/** The score that counts where there are several: CVSS 3 before 4 before 2, since most is rated by 3. */
export function preferredScore(scores: readonly Score[]): Score | undefined {
  const of = (...versions: string[]) => scores.find((score) => versions.includes(score.version));
  return of('3.1', '3.0') ?? of('4.0') ?? of('2.0');
}

const words: Readonly<Record<string, Severity>> = {
  critical: 'CRITICAL',
  high: 'HIGH',
  important: 'HIGH',
  medium: 'MEDIUM',
  moderate: 'MEDIUM',
  low: 'LOW',
  negligible: 'INFORMATIONAL',
  unimportant: 'INFORMATIONAL',
  none: 'INFORMATIONAL',
};

/** What a publisher's word for a severity means; undefined for `not yet assigned` and the like. */
export function severityOfWord(word: unknown): Severity | undefined {
  return typeof word === 'string' ? words[word.toLowerCase().replace(/\*+$/, '')] : undefined;
}
