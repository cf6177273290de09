import cvss from 'ae-cvss-calculator';
import type { Score, Severity } from './model.ts';

/** The base score of a CVSS vector (first.org; versions 2.0, 3.0, 3.1 and 4.0); undefined where it is none. */
export function scoreOf(vector: string): Score | undefined {
  if (vector.length > 500) return undefined;
  try {
    if (vector.startsWith('CVSS:4.0/')) return made('4.0', vector, new cvss.Cvss4P0(vector).calculateScores().overall);
    if (vector.startsWith('CVSS:3.1/')) return made('3.1', vector, new cvss.Cvss3P1(vector).calculateScores().base);
    if (vector.startsWith('CVSS:3.0/')) return made('3.0', vector, new cvss.Cvss3P0(vector).calculateScores().base);
    if (/^\(?AV:[LAN]\/AC:/.test(vector)) return made('2.0', vector, new cvss.Cvss2(vector).calculateScores().base);
  } catch {}
  return undefined;
}

function made(version: string, vector: string, score: number | undefined): Score | undefined {
  return score === undefined || !Number.isFinite(score) ? undefined : { version, vector, score };
}

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
