import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Connection } from './data-dir.ts';

/** Writes a profile into ~/.aws (or where AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE say); everything else there stays as it is. */
export function writeProfile(name: string, connection: Connection): void {
  const config = process.env.AWS_CONFIG_FILE ?? join(homedir(), '.aws/config');
  const credentials = process.env.AWS_SHARED_CREDENTIALS_FILE ?? join(homedir(), '.aws/credentials');
  replace(config, name === 'default' ? name : `profile ${name}`, {
    region: connection.region,
    endpoint_url: connection.endpoint,
  });
  replace(credentials, name, {
    aws_access_key_id: connection.accessKeyId,
    aws_secret_access_key: connection.secretAccessKey,
  });
}

function replace(path: string, section: string, values: Readonly<Record<string, string>>): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  writeFileSync(path, withSection(text, section, values), { mode: 0o600 });
  chmodSync(path, 0o600);
}

/** The text of an ini file with one section put in place of what that section was, or at the end. */
export function withSection(text: string, section: string, values: Readonly<Record<string, string>>): string {
  const body = [`[${section}]`, ...Object.entries(values).map(([key, value]) => `${key} = ${value}`)].join('\n');
  const parts = text.split(/^(?=\[)/m);
  const heading = (part: string) => /^\[\s*([^\]]*?)\s*\]/.exec(part)?.[1];
  const at = parts.findIndex((part) => heading(part) === section);
  if (at >= 0) {
    const blank = /\n\s*\n?$/.exec(parts[at] as string)?.[0] ?? '\n';
    parts[at] = `${body}${at === parts.length - 1 ? '\n' : blank}`;
    return parts.join('');
  }
  const before = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  return `${before}${before === '' ? '' : '\n'}${body}\n`;
}
