import { pino } from 'pino';

/** The part of pino that the rooms use: a message with the fields that say what it is about. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}

/** A logger that writes JSON lines to standard error. `level` is one of pino's (`debug`, `info`, `warn`, `error`, `silent`). */
export function openLogger(level: string, fields: object = {}): Logger {
  return pino({ level, base: fields }, pino.destination({ dest: 2, sync: false })) as Logger;
}

/** A logger that says nothing, for tests. */
export const silentLogger: Logger = pino({ level: 'silent' }) as Logger;
