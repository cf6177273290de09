import { Command } from 'commander';
import type { Check } from './checks.ts';
import { dataDirOption, jsonOption, withExamples } from './connection-options.ts';
import { dataDirOf } from './data-dir.ts';
import { examine } from './examine.ts';
import { paint, say, sayJson } from './output.ts';

const marks = { ok: ['green', '✓'], warn: ['yellow', '!'], fail: ['red', '✗'] } as const;

export function doctorCommand(): Command {
  const command = new Command('doctor')
    .helpGroup('Use it:')
    .description('check everything that Longshore needs of this machine, and say how to mend it')
    .addOption(dataDirOption())
    .addOption(jsonOption())
    .action(async (options: { dataDir: string; json?: boolean }) => {
      const checks = await examine(dataDirOf(options.dataDir));
      const failed = checks.filter((check) => check.state === 'fail').length;
      if (options.json) sayJson({ healthy: failed === 0, checks });
      else show(checks);
      process.exitCode = failed === 0 ? 0 : 1;
    });
  return withExamples(command, [
    ['longshore doctor', 'ends with 1 where something that is needed is missing'],
    ['longshore doctor --json', 'for programs'],
  ]);
}

function show(checks: readonly Check[]): void {
  const width = Math.max(...checks.map((check) => check.name.length));
  for (const { name, state, detail, mend } of checks) {
    const [colour, mark] = marks[state];
    say(`${paint(colour, mark)} ${name.padEnd(width)}  ${detail}`);
    if (mend) say(`  ${' '.repeat(width)}  ${paint('dim', '→')} ${mend}`);
  }
  const count = (state: Check['state']) => checks.filter((check) => check.state === state).length;
  say();
  if (count('fail') > 0)
    say(paint('red', `${count('fail')} of ${checks.length} must be mended before Longshore can run tasks.`));
  else say(`Longshore can run here.${count('warn') > 0 ? ` ${count('warn')} had better be mended.` : ''}`);
}
