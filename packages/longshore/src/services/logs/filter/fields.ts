import { type Predicate, parseExpression, Scanner } from './expression.ts';
import type { Filter } from './filter.ts';

/** `...`, or a word with what it must be. */
type Field = 'any' | Predicate<string>;

/**
 * `[ip, user, ..., status=4*, bytes>1000]`: messages with so many words that meet it. `"…"` and `[…]` in a message are one
 * word; `...` stands for any number of words.
 */
export function fieldsFilter(pattern: string): Filter {
  const scanner = new Scanner(pattern);
  scanner.take(/\[/);
  const fields: Field[] = [];
  do fields.push(readField(scanner));
  while (scanner.take(/,/));
  if (!scanner.take(/\]/) || !scanner.atEnd()) throw scanner.problem("',' or ']'");
  return (message) => matches(fields, words(message));
}

function readField(scanner: Scanner): Field {
  if (scanner.take(/\.\.\./)) return 'any';
  const start = scanner.position;
  const name = scanner.take(/[A-Za-z_]\w*/);
  if (name && /^\s*[,\]]/.test(scanner.text.slice(scanner.position))) return () => true;
  scanner.position = start;
  return parseExpression<string>(scanner, (inner) => {
    if (!inner.take(/[A-Za-z_]\w*/)) throw inner.problem('the name of a field');
    return (word) => [word];
  });
}

/** A `...` is tried only up to the last one, as with `*` in a glob, so time stays within fields × words. */
function matches(fields: readonly Field[], message: readonly string[]): boolean {
  let field = 0;
  let word = 0;
  let resumeField = -1;
  let resumeWord = 0;
  while (word < message.length) {
    const wanted = fields[field];
    if (wanted === 'any') {
      resumeField = field++;
      resumeWord = word;
    } else if (wanted?.(message[word]!)) {
      field++;
      word++;
    } else if (resumeField !== -1) {
      field = resumeField + 1;
      word = ++resumeWord;
    } else return false;
  }
  while (fields[field] === 'any') field++;
  return field === fields.length;
}

function words(message: string): string[] {
  return Array.from(message.matchAll(/"([^"]*)"|\[([^\]]*)\]|(\S+)/g), (match) => (match[1] ?? match[2] ?? match[3])!);
}
