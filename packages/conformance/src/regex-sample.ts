import { compilePattern } from '../../longshore/src/wire/pattern.ts';

/** A part of a pattern: a way to make text that it matches, given how often to repeat what may repeat. */
type Part = (repeat: number) => string;

/**
 * A text that a model's pattern matches as a whole, with a length from `min` to `max`; undefined where none was found.
 * Look-arounds are not understood, only hoped for: what comes out is always checked.
 */
export function sampleText(pattern: string, min: number, max: number): string | undefined {
  const compiled = compilePattern(pattern);
  if (!compiled) return undefined;
  const part = new PatternReader(pattern).alternatives();
  for (const repeat of [
    1,
    2,
    3,
    5,
    8,
    13,
    21,
    34,
    55,
    89,
    0,
    min,
    ...Array.from({ length: 40 }, (_, index) => index),
  ]) {
    const text = part(repeat);
    if (text.length >= min && text.length <= max && compiled.test(text)) return text;
  }
  return undefined;
}

class PatternReader {
  private offset = 0;
  private readonly pattern: string;

  constructor(pattern: string) {
    this.pattern = pattern;
  }

  alternatives(): Part {
    const options = [this.sequence()];
    while (this.pattern[this.offset] === '|') {
      this.offset++;
      options.push(this.sequence());
    }
    // An empty option makes no useful text.
    return (repeat) => options.map((option) => option(repeat)).find((text) => text !== '') ?? '';
  }

  private sequence(): Part {
    const parts: Part[] = [];
    while (this.offset < this.pattern.length && !'|)'.includes(this.pattern[this.offset]!))
      parts.push(this.quantified());
    return (repeat) => parts.map((part) => part(repeat)).join('');
  }

  private quantified(): Part {
    const part = this.atom();
    const quantifier = /^(?:([*+?])|\{(\d+)(,)?(\d*)\})[?+]?/.exec(this.pattern.slice(this.offset));
    if (!quantifier) return part;
    this.offset += quantifier[0].length;
    const [, sign, low, comma, high] = quantifier;
    const least = sign === '+' ? 1 : sign ? 0 : Number(low);
    const most =
      sign === '?'
        ? 1
        : sign
          ? Number.POSITIVE_INFINITY
          : comma
            ? high
              ? Number(high)
              : Number.POSITIVE_INFINITY
            : least;
    return (repeat) => part(repeat).repeat(Math.min(most, Math.max(least, repeat)));
  }

  private atom(): Part {
    const rest = this.pattern.slice(this.offset);
    const look = /^\(\?<?[!=]/.exec(rest);
    if (look) {
      this.offset += look[0].length;
      this.alternatives();
      this.offset++;
      return () => '';
    }
    if (rest[0] === '(') {
      this.offset += /^\(\?(?::|<[^>]+>)/.exec(rest)?.[0].length ?? 1;
      const inner = this.alternatives();
      this.offset++;
      return inner;
    }
    if (rest[0] === '[') {
      const text = /^\[\^?(?:\\.|[^\]\\])*\]/.exec(rest)![0];
      this.offset += text.length;
      return this.oneOf(text);
    }
    if (rest[0] === '^' || rest[0] === '$') {
      this.offset++;
      return () => '';
    }
    const text = /^(?:\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\p\{\w+\}|\\[\s\S]|[\s\S])/.exec(rest)![0];
    this.offset += text.length;
    if (/^\\[wdsSDWpux]/.test(text) || text === '.') return this.oneOf(text);
    const literal = text.length === 2 && text[0] === '\\' ? text[1]! : text;
    return () => literal;
  }

  /** A character that a class or escape matches: one that reads well, if possible. */
  private oneOf(text: string): Part {
    const compiled = compilePattern(text);
    const found = [...'abcA01-_/.:* @#'].find((character) => compiled?.test(character)) ?? '\u00e9';
    return () => found;
  }
}
