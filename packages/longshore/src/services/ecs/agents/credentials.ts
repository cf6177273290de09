import type { RoleCredentials } from '../../../protocol/payload.ts';
import { lastPart } from '../names.ts';
import type { EcsParts } from '../parts.ts';
import type { TaskRow } from '../tables.ts';
import { type TaskDocument, taskDocument } from '../tasks/document.ts';

/** How long a task's credentials last (Fargate: 6 h) and how long before their end fresh ones are sent. */
const lifetimeSeconds = 6 * 3600;
const refreshBeforeMs = 30 * 60_000;

export interface TaskCredentials {
  readonly task?: RoleCredentials;
  readonly execution?: RoleCredentials;
}

export type RoleType = 'TaskApplication' | 'TaskExecution';

/**
 * Credentials of running tasks' roles. They live in memory only: after a restart every task gets fresh ones, which the
 * agents that connect again are sent.
 */
export interface CredentialsKeeper {
  /**
   * Credentials for a task that is about to be made. Throws what IAM says where a role can't be assumed.
   * `keep` them once the task exists.
   */
  mint(
    taskArn: string,
    task: Pick<TaskDocument, 'taskRoleArn' | 'executionRoleArn' | 'credentialIds'>,
  ): Promise<TaskCredentials>;
  keep(taskArn: string, credentials: TaskCredentials): void;
  /** The task's credentials, made where there are none that last. */
  of(row: Pick<TaskRow, 'arn' | 'document'>): Promise<TaskCredentials>;
  forget(taskArn: string): void;
  /** Tasks whose credentials end soon. */
  ageing(): readonly string[];
}

/** Credentials of tasks' roles: assumed once, kept until they age. */
export function credentialsKeeper({ iam, clock }: EcsParts): CredentialsKeeper {
  const kept = new Map<string, { readonly credentials: TaskCredentials; readonly expiresAt: number }>();

  async function session(
    roleArn: string | undefined,
    taskArn: string,
    credentialsId: string,
  ): Promise<RoleCredentials | undefined> {
    if (!roleArn) return undefined;
    const made = await iam.sessionFor(roleArn, 'ecs-tasks.amazonaws.com', lastPart(taskArn), lifetimeSeconds);
    return {
      credentialsId,
      roleArn: made.roleArn,
      accessKeyId: made.accessKeyId,
      secretAccessKey: made.secretAccessKey,
      sessionToken: made.sessionToken,
      expiration: new Date(made.expiresAt).toISOString(),
    };
  }

  const keeper: CredentialsKeeper = {
    async mint(arn, { taskRoleArn, executionRoleArn, credentialIds }) {
      const [task, execution] = await Promise.all([
        session(taskRoleArn, arn, credentialIds.task),
        session(executionRoleArn, arn, credentialIds.execution),
      ]);
      return { ...(task && { task }), ...(execution && { execution }) };
    },
    keep(taskArn, credentials) {
      const ends = [credentials.task, credentials.execution].flatMap((one) =>
        one ? [Date.parse(one.expiration)] : [],
      );
      kept.set(taskArn, { credentials, expiresAt: Math.min(...ends, Number.MAX_SAFE_INTEGER) });
    },
    async of(row) {
      const found = kept.get(row.arn);
      if (found && found.expiresAt - refreshBeforeMs > clock.now()) return found.credentials;
      const credentials = await keeper.mint(row.arn, taskDocument(row));
      keeper.keep(row.arn, credentials);
      return credentials;
    },
    forget: (taskArn) => void kept.delete(taskArn),
    ageing: () =>
      [...kept].filter(([, { expiresAt }]) => expiresAt - refreshBeforeMs <= clock.now()).map(([arn]) => arn),
  };
  return keeper;
}
