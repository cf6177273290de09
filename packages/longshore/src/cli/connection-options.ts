import { type Command, Option } from 'commander';
import { defaultDataDir } from './data-dir.ts';

/** The option by which every command says which Longshore it means. */
export function dataDirOption(): Option {
  return new Option('--data-dir <dir>', 'where that Longshore keeps its state')
    .env('LONGSHORE_DATA_DIR')
    .default(defaultDataDir);
}

/** `--json`. */
export function jsonOption(): Option {
  return new Option('--json', 'print data for programs instead of words');
}

/** Adds examples beneath a command's help. */
export function withExamples(
  command: Command,
  examples: readonly (readonly [line: string, meaning: string])[],
): Command {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, meaning]) => `  ${line.padEnd(width)}   ${meaning}`);
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}
