import { styleText } from 'node:util';

/** A failure to be told in plain words, without a stack: what is wrong, and what to do about it. */
export class CommandError extends Error {
  readonly hint: string | undefined;
  readonly exitCode: number;

  constructor(message: string, options: { readonly hint?: string; readonly exitCode?: number } = {}) {
    super(message);
    this.name = 'CommandError';
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? 1;
  }
}

type Style = Parameters<typeof styleText>[0];

/** Colours text where standard output is a terminal that wants colours (NO_COLOR and FORCE_COLOR are heeded). */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

/** One line for people. */
export function say(text = ''): void {
  process.stdout.write(`${text}\n`);
}

/** One document for programs. */
export function sayJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** What went wrong as one line of plain words. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && !error.message) return error.errors.map(reasonOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
