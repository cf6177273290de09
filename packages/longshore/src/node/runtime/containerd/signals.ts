import { constants } from 'node:os';

/** The number of a signal as images and task definitions write it: `SIGTERM`, `term`, `15`, `SIGRTMIN+3`; SIGTERM's for what is none. */
export function signalNumber(signal: string): number {
  if (/^\d+$/.test(signal)) return Number(signal);
  const name = signal.toUpperCase().startsWith('SIG') ? signal.toUpperCase() : `SIG${signal.toUpperCase()}`;
  const realtime = /^SIGRTMIN(?:\+(\d+))?$/.exec(name);
  if (realtime) return 34 + Number(realtime[1] ?? 0);
  return (constants.signals as Record<string, number>)[name] ?? 15;
}
