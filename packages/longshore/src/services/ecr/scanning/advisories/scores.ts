import cvss from 'ae-cvss-calculator';
import type { Score } from './model.ts';

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
