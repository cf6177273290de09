import type { Caller, Gatekeeper, RequestContext } from '../../wire/service.ts';

export interface SessionCredentials {
  readonly roleArn: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** What other services ask of IAM. */
export interface IamContract {
  readonly gatekeeper: Gatekeeper;
  /**
   * Credentials of a role for one of our services, after its trust policy was asked (`servicePrincipal` e.g.
   * `ecs-tasks.amazonaws.com`). Throws Fault AccessDenied or NoSuchEntity in plain words.
   */
  sessionFor(roleArn: string, servicePrincipal: string, sessionName: string, durationSeconds: number): Promise<SessionCredentials>;
  /** Throws AccessDeniedException where the caller lacks iam:PassRole on the role for that service. */
  checkPassRole(context: RequestContext, roleArn: string, servicePrincipal: string): Promise<void>;
  /** Makes the service-linked role, e.g. `AWSServiceRoleForECS` for `ecs.amazonaws.com`, where it is missing; its ARN. */
  ensureServiceLinkedRole(servicePrincipal: string): Promise<string>;
  roleExists(roleArn: string): Promise<boolean>;
  /** The credentials that a process of ours signs with (made once, kept): `node` may only do what an agent must. */
  systemCredentials(name: 'root' | 'node'): Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string; readonly caller: Caller }>;
}
