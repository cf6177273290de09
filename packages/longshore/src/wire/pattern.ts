/**
 * A model's pattern as an expression that matches whole strings, as AWS's validators do, or undefined where JavaScript has no
 * equivalent. The models' patterns are written for Java's engine.
 */
export function compilePattern(pattern: string): RegExp | undefined {
  const javascript = pattern
    .replaceAll('\\p{Print}', '[\\x20-\\x7E]')
    .replace(/\\u(10000)-\\u(10FFFF)/g, '\\u{$1}-\\u{$2}')
    .replace(/\\x\{([0-9A-Fa-f]+)\}/g, '\\u{$1}');
  const whole = `^(?:${javascript})$`;
  try {
    return new RegExp(whole, 'u');
  } catch {
    // The `u` flag forbids escapes that mean nothing: those go first.
  }
  try {
    return new RegExp(whole.replace(/\\([^\w\s^$\\.*+?()[\]{}|/-])/g, '$1').replace(/\\_/g, '_'), 'u');
  } catch {
    // Without the flag, `\p` and `\u{…}` would silently mean something else.
  }
  if (/\\p\{|\\u\{|\\Q|&&\[/.test(javascript)) return undefined;
  try {
    return new RegExp(whole);
  } catch {
    return undefined;
  }
}

/** True where the time to match grows with the text's length only: one class of characters, at most repeated. */
export function isLinear(pattern: string): boolean {
  return /^\^?(\[(\\.|[^\]\\])+\]|\.|\\\w)([*+]|\{\d+(,\d*)?\})?\$?$/.test(pattern);
}
