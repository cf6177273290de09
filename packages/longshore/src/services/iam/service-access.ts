import type { IamContract } from './contract.ts';
import { fault } from './faults.ts';
import { findRoleByArn } from './lookups.ts';
import type { OpenSession } from './session-writer.ts';
import type { IamState } from './state.ts';
import { trustVerdict } from './trust.ts';

/** What services of ours ask: to act as a role, and whether a caller may hand them one. `enforce` false: everyone may. */
export function createServiceAccess(
  state: IamState,
  openSession: OpenSession,
  region: string,
  enforce: boolean,
): Pick<IamContract, 'sessionFor' | 'checkPassRole' | 'roleExists'> {
  return {
    async sessionFor(roleArn, servicePrincipal, sessionName, durationSeconds) {
      const role = await findRoleByArn(state, roleArn);
      if (!role && enforce) {
        throw fault(
          'NoSuchEntity',
          `The role with name ${roleArn.slice(roleArn.lastIndexOf('/') + 1)} cannot be found.`,
        );
      }
      if (role && enforce && !trusts(state, region, role, roleArn, servicePrincipal)) {
        throw fault(
          'AccessDenied',
          `The role ${roleArn} cannot be assumed: its trust policy does not allow ${servicePrincipal} the action sts:AssumeRole.`,
        );
      }
      const session = {
        principal_id: role?.id ?? `missing:${roleArn}`,
        session_name: sessionName,
        policies: null,
        tags: '{}',
        source_identity: null,
      };
      return { roleArn, ...(await openSession(session, durationSeconds)) };
    },

    async checkPassRole(context, roleArn, servicePrincipal) {
      await context.authorize({
        action: 'iam:PassRole',
        resource: roleArn,
        context: { 'iam:PassedToService': servicePrincipal },
      });
    },

    roleExists: async (roleArn) => (await findRoleByArn(state, roleArn)) !== undefined,
  };
}

function trusts(
  state: IamState,
  region: string,
  role: Parameters<typeof trustVerdict>[0],
  roleArn: string,
  servicePrincipal: string,
): boolean {
  // Trust policies guard against the confused deputy with the account and ARN that the service acts for
  // (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html).
  const service = servicePrincipal.split('.')[0]!.replace(/-tasks$/, '');
  return (
    trustVerdict(role, { kind: 'service', service: servicePrincipal }, 'sts:AssumeRole', roleArn, {
      'aws:SourceAccount': state.accountId,
      'aws:SourceArn': `arn:aws:${service}:${region}:${state.accountId}:*`,
      'aws:PrincipalIsAWSService': 'true',
      'aws:PrincipalServiceName': servicePrincipal,
      'aws:CurrentTime': new Date(state.clock.now()).toISOString(),
    }) === 'allow'
  );
}
