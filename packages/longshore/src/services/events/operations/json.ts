import { deepest } from '../pattern/tokens.ts';

/** The JSON object that `text` is; undefined where it is none, or nests deeper than EventBridge reads. */
export function parseObject(text: string): object | undefined {
  if (nesting(text) > deepest) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** How deep brackets nest outside of strings. */
function nesting(text: string): number {
  let depth = 0;
  let most = 0;
  let within = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (within) {
      if (character === '\\') at++;
      else if (character === '"') within = false;
    } else if (character === '"') within = true;
    else if (character === '[' || character === '{') most = Math.max(most, ++depth);
    else if (character === ']' || character === '}') depth--;
  }
  return most;
}
