import { fieldsFilter } from './fields.ts';
import { jsonFilter } from './json.ts';
import { termsFilter } from './terms.ts';

/** Whether a message is one that a filter pattern asks for. */
export type Filter = (message: string) => boolean;

/** A pattern that breaks the syntax; the message is what InvalidParameterException says. */
export class FilterSyntaxError extends Error {}

/**
 * Compiles a filter pattern (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html): terms,
 * `{ … }` over JSON messages, or `[ … ]` over words. The empty pattern matches everything. Throws FilterSyntaxError.
 */
export function compileFilter(pattern: string): Filter {
  const text = pattern.trim();
  if (text === '') return () => true;
  if (text.startsWith('{')) return jsonFilter(text);
  if (text.startsWith('[')) return fieldsFilter(text);
  return termsFilter(text);
}
