/**
 * Compares two versions of one ecosystem: below 0, 0 or above 0 as the first is older, the same or newer. NaN where one of
 * them is no version of that ecosystem, so that nothing is concluded from it.
 */
export type VersionOrder = (one: string, other: string) => number;

export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

export function isLetter(code: number): boolean {
  return (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
}

/** Compares runs of digits of any length as numbers. */
export function compareDigits(one: string, other: string): number {
  const first = one.replace(/^0+/, '');
  const second = other.replace(/^0+/, '');
  return first.length - second.length || compareText(first, second);
}

export function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
