import { fault } from './faults.ts';
import { newId } from './ids.ts';
import { findPrincipal } from './lookups.ts';
import { type ServiceLinkedRole, serviceLinkedRole } from './service-linked.ts';
import type { IamState } from './state.ts';
import type { PrincipalRow } from './tables.ts';

/** The service-linked role of a service, made where it is missing. Throws InvalidInput where the service has none. */
export async function ensureLinkedRole(state: IamState, service: string): Promise<PrincipalRow> {
  const template = requireTemplate(service);
  const there = await findPrincipal(state.db, 'role', template.name);
  return there ?? createLinkedRole(state, template, template.name, template.description, 'keep');
}

/** Throws InvalidInput where `service` has no service-linked role. */
export function requireTemplate(service: string): ServiceLinkedRole {
  const template = serviceLinkedRole(service);
  if (!template) throw fault('InvalidInput', `Service-linked roles for ${service} are not supported.`);
  return template;
}

/** `keep`: answer the role that is there already instead of throwing InvalidInput. */
export async function createLinkedRole(
  state: IamState,
  template: ServiceLinkedRole,
  name: string,
  description: string,
  existing: 'keep' | 'refuse',
): Promise<PrincipalRow> {
  return state.write(name, async ({ db }) => {
    const there = await findPrincipal(db, 'role', name);
    if (there && existing === 'keep') return there;
    if (there) {
      throw fault(
        'InvalidInput',
        `Service role name ${name} has been taken in this account, please try a different suffix.`,
      );
    }
    const row: PrincipalRow = {
      id: newId(state.random, 'AROA'),
      type: 'role',
      name,
      path: `/aws-service-role/${template.service}/`,
      created_at: state.clock.now(),
      boundary_arn: null,
      trust_policy: JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Principal: { Service: template.service }, Action: 'sts:AssumeRole' }],
      }),
      description: description || null,
      max_session_seconds: 3600,
      linked_service: template.service,
    };
    await db.insertInto('iam_principal').values(row).execute();
    for (const policy_arn of template.policyArns) {
      await db.insertInto('iam_attachment').values({ principal_id: row.id, policy_arn }).execute();
    }
    return row;
  });
}
