import type { Service, ServiceParts } from '../contract.ts';
import type { IamContract } from './contract.ts';
import { createGatekeeper } from './gatekeeper.ts';
import { housekeeping } from './housekeeping.ts';
import { createIdentities } from './identities.ts';
import { ensureLinkedRole } from './linked-roles.ts';
import { principalArn } from './lookups.ts';
import { iamOperations } from './operations/index.ts';
import { resourcePolicyFlaw } from './resource-policies.ts';
import { createServiceAccess } from './service-access.ts';
import { sessionWriter } from './session-writer.ts';
import { createSessions } from './sessions.ts';
import { createState } from './state.ts';
import { systemKey } from './system-keys.ts';
import type { IamTables } from './tables.ts';

/** Identity and access: who may do what. */
export function iamService(parts: ServiceParts<IamTables>): Service<IamContract> {
  const { settings, log } = parts;
  const enforce = settings.auth === 'on';
  const state = createState(parts);
  const identities = createIdentities(state);
  const gatekeeper = createGatekeeper(state, identities, enforce);
  const openSession = sessionWriter(state);
  state.onWrite(() => gatekeeper.forget());
  return {
    definition: { name: 'iam', iamPrefix: 'iam', operations: iamOperations(state) },
    async prepare() {
      gatekeeper.forget();
      await systemKey(state, 'root');
      await systemKey(state, 'node');
    },
    controllers: [housekeeping(state, gatekeeper, log.child({ service: 'iam' }))],
    contract: {
      gatekeeper,
      sessions: createSessions(state, gatekeeper, openSession),
      ...createServiceAccess(state, openSession, settings.region, enforce),
      ensureServiceLinkedRole: async (service) => principalArn(state, await ensureLinkedRole(state, service)),
      resourcePolicyFlaw: (text, kind) => resourcePolicyFlaw(state, text, kind),
      systemCredentials: (name) => systemKey(state, name),
    },
  };
}
