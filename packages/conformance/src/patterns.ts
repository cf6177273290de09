import { createContext, Script } from 'node:vm';
import { compilePattern, isLinear } from '../../longshore/src/wire/pattern.ts';

/** The longest text that is held against a pattern that may take more than linear time, as in wire/validate.ts. */
const longest = 2048;

/**
 * Why a model's pattern can't be checked, or undefined where it can. botocore's patterns are written for Java's engine; those
 * that JavaScript has no equivalent for, or that hostile text could keep busy, are left out of the models.
 */
export function patternProblem(pattern: string): string | undefined {
  const compiled = compilePattern(pattern);
  if (!compiled) return 'JavaScript has no equivalent';
  if (isLinear(pattern)) return undefined;
  const context = createContext({ compiled, text: '' });
  for (const text of hostileTexts(pattern)) {
    context.text = text;
    // Twice: a busy machine may be slow once.
    if (!quick(context) && !quick(context))
      return `takes too long for some texts, e.g. ${JSON.stringify(text.slice(0, 40))}…`;
  }
  return undefined;
}

const script = new Script('compiled.test(text)');

function quick(context: object): boolean {
  try {
    script.runInContext(context, { timeout: 250 });
    return true;
  } catch {
    return false;
  }
}

/** Texts that repeat what the pattern may repeat, and then do not match. */
export function* hostileTexts(pattern: string): Generator<string> {
  const units = [
    'a',
    '0',
    '-',
    '_',
    'a-',
    'a_',
    '/',
    'a/',
    ' ',
    'a ',
    '.',
    'a.',
    ':',
    '[0]',
    '%20',
    'arn:aws:',
    '_-',
    '../',
    'a-a_',
  ];
  const literal = /^\^?\(?\^?((?:[\w:]|\\[/.])*)/.exec(pattern)?.[1]?.replaceAll('\\', '') ?? '';
  for (const prefix of new Set([
    '',
    literal,
    'arn:aws:events:a:123456789012:',
    'arn:aws:',
    'aws.partner/',
    'https://',
    '$.',
  ])) {
    for (const unit of units) {
      for (const length of [64, longest]) {
        const text = `${prefix}${unit.repeat(Math.ceil(length / unit.length))}`;
        yield `${text.slice(0, length - 2)}\n!`;
      }
    }
  }
}
