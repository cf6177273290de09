import { type Filter, FilterSyntaxError } from './filter.ts';

interface Term {
  readonly sign: '' | '?' | '-';
  readonly text: string;
}

/**
 * `ERROR "exact phrase" -exclude ?any ?of`. All plain terms must be there and no excluded one; optional terms count only
 * where there are no others.
 */
export function termsFilter(pattern: string): Filter {
  const terms = parseTerms(pattern);
  const wanted = terms.filter((term) => term.sign === '').map((term) => term.text);
  const unwanted = terms.filter((term) => term.sign === '-').map((term) => term.text);
  const optional = terms.filter((term) => term.sign === '?').map((term) => term.text);
  if (wanted.length === 0 && unwanted.length === 0) return (message) => optional.some((text) => message.includes(text));
  return (message) =>
    wanted.every((text) => message.includes(text)) && !unwanted.some((text) => message.includes(text));
}

function parseTerms(pattern: string): Term[] {
  const terms: Term[] = [];
  const matcher = /\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))/gy;
  const text = pattern.trimEnd();
  while (matcher.lastIndex < text.length) {
    const at = matcher.lastIndex;
    const match = matcher.exec(text);
    if (!match) throw new FilterSyntaxError(`Invalid filter pattern: unbalanced quotes at '${text.slice(at).trim()}'`);
    const [, sign = '', quoted, bare] = match;
    if (bare?.startsWith('%')) throw new FilterSyntaxError('Regular expressions in filter patterns are not supported.');
    if (bare !== undefined && !/^[\p{L}\p{N}_]+$/u.test(bare)) {
      throw new FilterSyntaxError(`Invalid character(s) in term '${bare}'`);
    }
    terms.push({ sign: sign as Term['sign'], text: bare ?? quoted!.replace(/\\(.)/g, '$1') });
  }
  return terms;
}
