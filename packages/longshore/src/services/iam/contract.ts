import type { Caller, Gatekeeper, RequestContext } from '../../wire/service.ts';
import type { ResourcePolicyKind } from './policy/kinds.ts';

export interface SessionCredentials {
  readonly roleArn: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** What `sts:AssumeRole` asks for. */
export interface AssumeRoleRequest {
  readonly roleArn: string;
  readonly sessionName: string;
  readonly durationSeconds: number;
  readonly externalId?: string | undefined;
  /** A JSON document that narrows the session. */
  readonly policy?: string | undefined;
  /** Managed policies that narrow the session. */
  readonly policyArns: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
  readonly transitiveTagKeys: readonly string[];
  readonly sourceIdentity?: string | undefined;
}

/** Temporary credentials for callers of STS. */
export interface Sessions {
  /** Throws Fault AccessDenied, ValidationError, MalformedPolicyDocument. */
  assumeRole(
    request: AssumeRoleRequest,
    context: RequestContext,
  ): Promise<SessionCredentials & { readonly caller: Caller }>;
  /** Credentials of the same user or root. Throws Fault AccessDenied for sessions. */
  sessionToken(caller: Caller, durationSeconds: number): Promise<Omit<SessionCredentials, 'roleArn'>>;
  /** The account of an access key, whether or not it is active; undefined where there is no such key. */
  accountOf(accessKeyId: string): Promise<string | undefined>;
}

/** What other services ask of IAM. */
export interface IamContract {
  readonly gatekeeper: Gatekeeper;
  /** For STS alone. */
  readonly sessions: Sessions;
  /**
   * Credentials of a role for one of our services, after its trust policy was asked (`servicePrincipal` e.g.
   * `ecs-tasks.amazonaws.com`). Throws Fault AccessDenied or NoSuchEntity in plain words.
   */
  sessionFor(
    roleArn: string,
    servicePrincipal: string,
    sessionName: string,
    durationSeconds: number,
  ): Promise<SessionCredentials>;
  /** Throws AccessDeniedException where the caller lacks iam:PassRole on the role for that service. */
  checkPassRole(context: RequestContext, roleArn: string, servicePrincipal: string): Promise<void>;
  /** Makes the service-linked role, e.g. `AWSServiceRoleForECS` for `ecs.amazonaws.com`, where it is missing; its ARN. */
  ensureServiceLinkedRole(servicePrincipal: string): Promise<string>;
  /** Why a document can't be the policy that a thing carries (`Access.resourcePolicies`), in AWS's words; undefined where it can. */
  resourcePolicyFlaw(text: string, kind: ResourcePolicyKind): Promise<string | undefined>;
  roleExists(roleArn: string): Promise<boolean>;
  /** The credentials that a process of ours signs with (made once, kept): `node` may only do what an agent must. */
  systemCredentials(
    name: 'root' | 'node',
  ): Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string; readonly caller: Caller }>;
}
