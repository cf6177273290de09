import type { Kysely } from 'kysely';
import { fault } from './faults.ts';
import { findPrincipal, principalArn } from './lookups.ts';
import { type PolicyDocument, parsePolicy } from './policy/grammar.ts';
import { type PolicyKind, PolicySyntaxError } from './policy/kinds.ts';
import type { IamState } from './state.ts';
import type { IamTables } from './tables.ts';

/** Parses a document that a caller gave. Throws MalformedPolicyDocument. */
export function parseDocument(text: string, kind: PolicyKind): PolicyDocument {
  try {
    return parsePolicy(text, kind);
  } catch (error) {
    if (error instanceof PolicySyntaxError) throw fault('MalformedPolicyDocument', error.message);
    throw error;
  }
}

/** Parses a trust policy and checks that the users and roles of this account that it names are there. */
export async function parseTrust(state: IamState, db: Kysely<IamTables>, text: string): Promise<PolicyDocument> {
  const document = parseDocument(text, 'trust');
  for (const { principal } of document.statements) {
    if (!principal || principal === '*') continue;
    for (const name of principal.AWS ?? []) {
      const match = /^arn:aws:iam::(\d{12}):(user|role)\/(?:.*\/)?([^/]+)$/.exec(name);
      if (!match || match[1] !== state.accountId) continue;
      const row = await findPrincipal(db, match[2] as 'user' | 'role', match[3]!);
      if (!row || principalArn(state, row) !== name) {
        throw fault('MalformedPolicyDocument', `Invalid principal in policy: "AWS":"${name}"`);
      }
    }
  }
  return document;
}

/** As GetRole, GetPolicyVersion and their kin answer documents: percent-encoded (RFC 3986). */
export function encodeDocument(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Characters that count against a quota: all but white space. */
export const documentSize = (text: string): number => text.replace(/\s/g, '').length;
