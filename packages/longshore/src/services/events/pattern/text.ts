import { PatternError } from './tokens.ts';

/** Wildcards that begin alike and are one too many: each could be anywhere in a text of that one character. */
const mostAlike = 4;

/**
 * Whether text fits `pattern`, in which `*` stands for anything, `\*` and `\\` for themselves. Time is linear in the text for each
 * part between the stars. Throws PatternError.
 */
export function compileWildcard(pattern: string): (text: string) => boolean {
  const parts = [''];
  const append = (character: string) => {
    parts[parts.length - 1] += character;
  };
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i] as string;
    const following = pattern[i + 1];
    // Places count the quote that opens the value.
    if (character === '*' && following === '*')
      throw new PatternError(`Consecutive wildcard characters at pos ${i + 1}`);
    if (character === '*') parts.push('');
    else if (character !== '\\') append(character);
    else if (following === '*' || following === '\\') {
      append(following);
      i++;
    } else throw new PatternError(`Invalid escape character at pos ${i + 1}`);
  }
  const starts = Map.groupBy(parts.slice(1, -1), (part) => part[0]);
  if ([...starts.values()].some((alike) => alike.length > mostAlike)) {
    throw new PatternError(
      'Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character',
    );
  }
  if (parts.length === 1) return (text) => text === parts[0];
  const first = parts[0] as string;
  const last = parts.at(-1) as string;
  const middle = parts.slice(1, -1);
  return (text) => {
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    const end = text.length - last.length;
    let position = first.length;
    for (const part of middle) {
      const at = text.indexOf(part, position);
      if (at === -1 || at + part.length > end) return false;
      position = at + part.length;
    }
    return true;
  };
}

/** Text as it is compared where case does not count. */
export const folded = (text: string): string => text.toLowerCase();
