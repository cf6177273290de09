/** A pattern that breaks the language; the message is the reason that InvalidEventPatternException gives. */
export class PatternError extends Error {}

export type Token = '{' | '}' | '[' | ']' | 'name' | 'string' | 'number' | 'true' | 'false' | 'null';

/** How deep JSON may nest, as EventBridge has it (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html). */
export const deepest = 1000;
/** Characters of the pattern that a reason quotes. */
const quoted = 500;
const quote = 0x22;
const backslash = 0x5c;

/**
 * JSON token by token. EventBridge reads patterns with a streaming parser and says at which column it stood when it gave up; people
 * look for that place, so this stands where that one would: a string is read to its end only once its text is asked for, and with
 * a member's name the beginning of its value is read.
 */
export class Tokens {
  readonly #source: string;
  #at = 0;
  /** What a token's value is; a string's once `text` was asked. */
  #text = '';
  /** Where an unread string's text begins. */
  #pending = -1;
  /** The name that was read last, and the value that was read with it. */
  #name = '';
  #ahead: Token | undefined;
  /** Open objects and arrays, and whether the next thing in each is its first. */
  readonly #open: { readonly kind: '{' | '['; first: boolean }[] = [];

  constructor(source: string) {
    this.#source = source;
  }

  /** The next token. Throws PatternError where the text is no JSON or ends. */
  next(): Token {
    if (this.#ahead) {
      const token = this.#ahead;
      this.#ahead = undefined;
      return token;
    }
    this.#finish();
    this.#space();
    const inside = this.#open.at(-1);
    if (!inside) return this.#value();
    const closing = inside.kind === '{' ? '}' : ']';
    if (this.#source[this.#at] === closing) {
      this.#at++;
      this.#open.pop();
      return closing;
    }
    if (!inside.first) {
      if (this.#source[this.#at] !== ',') {
        throw this.#unexpected(`was expecting comma to separate ${inside.kind === '{' ? 'Object' : 'Array'} entries`);
      }
      this.#at++;
      this.#space();
    }
    inside.first = false;
    if (inside.kind === '[') return this.#value();
    if (this.#source[this.#at] !== '"') {
      throw this.#unexpected('was expecting double-quote to start field name');
    }
    this.#at++;
    this.#name = this.#string(this.#at);
    this.#space();
    if (this.#source[this.#at] !== ':') {
      throw this.#unexpected('was expecting a colon to separate field name and value');
    }
    this.#at++;
    this.#space();
    this.#ahead = this.#value();
    return 'name';
  }

  /** The text of the name, string or number that was read last. */
  text(): string {
    if (this.#ahead) return this.#name;
    this.#finish();
    return this.#text;
  }

  /** A reason with the place where reading stands. */
  problem(message: string): PatternError {
    const before = this.#source.slice(0, this.#at);
    const line = before.split('\n').length;
    const column = this.#at - before.lastIndexOf('\n');
    const more = this.#source.length - quoted;
    const shown = `"${this.#source.slice(0, quoted)}"${more > 0 ? `[truncated ${more} chars]` : ''}`;
    return new PatternError(`${message}\n at [Source: (String)${shown}; line: ${line}, column: ${column}]`);
  }

  #finish(): void {
    if (this.#pending < 0) return;
    const start = this.#pending;
    this.#pending = -1;
    this.#text = this.#string(start);
  }

  #space(): void {
    while (' \t\r\n'.includes(this.#source[this.#at] ?? 'x')) this.#at++;
  }

  #value(): Token {
    const character = this.#source[this.#at];
    if (character === '{' || character === '[') {
      if (this.#open.length === deepest) throw this.problem(`Document nesting depth exceeds the maximum of ${deepest}`);
      this.#at++;
      this.#open.push({ kind: character, first: true });
      return character;
    }
    if (character === '"') {
      this.#at++;
      this.#pending = this.#at;
      return 'string';
    }
    const rest = /(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|[A-Za-z_$][\w$]*)/y;
    rest.lastIndex = this.#at;
    const word = rest.exec(this.#source)?.[0];
    if (word === undefined) throw this.#unexpected('expected a valid value');
    this.#at += word.length;
    if (word === 'true' || word === 'false' || word === 'null') return word;
    if (/^[A-Za-z_$]/.test(word)) {
      throw this.problem(
        `Unrecognized token '${word.slice(0, 64)}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')`,
      );
    }
    this.#text = word;
    return 'number';
  }

  /** Reads a string whose text begins at `start` to after its closing quote. */
  #string(start: number): string {
    this.#at = start;
    for (let code = this.#code(); code >= 0x20 && code !== quote; code = this.#code())
      this.#at += code === backslash ? 2 : 1;
    const raw = this.#source.slice(start, this.#at);
    if (this.#at >= this.#source.length) {
      throw this.problem('Unexpected end-of-input: was expecting closing quote for a string value');
    }
    if (this.#source[this.#at] !== '"')
      throw this.#unexpected('has to be escaped using backslash to be included in string value');
    this.#at++;
    try {
      return JSON.parse(`"${raw}"`) as string;
    } catch {
      throw this.problem('Unrecognized character escape in a string');
    }
  }

  #code(): number {
    return this.#at < this.#source.length ? this.#source.charCodeAt(this.#at) : -1;
  }

  #unexpected(expectation: string): PatternError {
    const character = this.#source[this.#at];
    if (character === undefined) return this.problem(`Unexpected end-of-input: ${expectation}`);
    return this.problem(`Unexpected character ('${character}' (code ${character.charCodeAt(0)})): ${expectation}`);
  }
}
