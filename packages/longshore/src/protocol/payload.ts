/**
 * Messages of the node protocol as Amazon's ECS agent speaks it (amazon-ecs-agent, `ecs-agent/acs/model/api`):
 * an envelope `{type, message}` in text frames of a WebSocket. Only the members that Longshore sends or reads.
 */
export interface Envelope<T = unknown> {
  readonly type: string;
  readonly message: T;
}

/** Credentials of a role, for a task (`roleCredentials`) or for what the agent does for it (`executionRoleCredentials`). */
export interface RoleCredentials {
  readonly credentialsId: string;
  readonly roleArn: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** ISO 8601. */
  readonly expiration: string;
}

export interface PortMapping {
  readonly containerPort: number;
  readonly hostPort?: number;
  readonly protocol: 'tcp' | 'udp';
  readonly name?: string;
}

/** How logs leave a container: the members of Docker's `HostConfig.LogConfig`. */
export interface LogConfig {
  readonly Type: string;
  readonly Config: Readonly<Record<string, string>>;
}

export interface DependsOn {
  readonly containerName: string;
  readonly condition: 'START' | 'COMPLETE' | 'SUCCESS' | 'HEALTHY';
}

export interface PayloadContainer {
  readonly name: string;
  readonly image: string;
  /** CPU units (1024 = one vCPU); 0 where the definition names none. */
  readonly cpu: number;
  /** MiB: the hard limit; 0 where the definition names none. */
  readonly memory: number;
  readonly command?: readonly string[];
  readonly entryPoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly essential: boolean;
  readonly portMappings?: readonly PortMapping[];
  readonly dependsOn?: readonly DependsOn[];
  /** Seconds. */
  readonly startTimeout?: number;
  /** Seconds from SIGTERM to SIGKILL; 30 where absent. */
  readonly stopTimeout?: number;
  /** Docker's API objects as JSON text: WorkingDir, User, Labels, Healthcheck … */
  readonly dockerConfig: {
    readonly config?: string;
    /** LogConfig, ReadonlyRootfs, CapAdd … */
    readonly hostConfig?: string;
    readonly version?: string;
  };
  readonly registryAuthentication?: {
    readonly type: 'ecr' | 'asm';
    readonly ecrAuthData?: {
      readonly registryId: string;
      readonly region: string;
      readonly endpointOverride?: string;
      readonly useExecutionRole: boolean;
    };
  };
  /** `ExecutionRole` where the log driver signs with the execution role's credentials. */
  readonly logsAuthStrategy?: string;
  readonly containerArn: string;
}

export interface PayloadInterface {
  readonly attachmentArn: string;
  /** `eni-…`: the interface's id in the networks document. */
  readonly ec2Id: string;
  readonly macAddress: string;
  readonly index: number;
  readonly ipv4Addresses: readonly { readonly primary: boolean; readonly privateAddress: string }[];
  /** Address and prefix length of the subnet's router, e.g. `172.31.0.1/20`. */
  readonly subnetGatewayIpv4Address: string;
  readonly domainName: readonly string[];
  readonly domainNameServers: readonly string[];
  readonly privateDnsName: string;
}

export interface PayloadTask {
  readonly arn: string;
  readonly taskClusterArn: string;
  readonly desiredStatus: 'RUNNING' | 'STOPPED';
  readonly family: string;
  readonly version: string;
  readonly taskDefinitionAccountId: string;
  readonly containers: readonly PayloadContainer[];
  /** JSON text of the task's overrides. */
  readonly overrides?: string;
  readonly roleCredentials?: RoleCredentials;
  readonly executionRoleCredentials?: RoleCredentials;
  readonly elasticNetworkInterfaces?: readonly PayloadInterface[];
  /** vCPUs, e.g. 0.25. */
  readonly cpu?: number;
  /** MiB. */
  readonly memory?: number;
  readonly launchType: 'FARGATE' | 'EC2' | 'EXTERNAL';
  readonly networkMode: 'awsvpc' | 'bridge' | 'host' | 'none';
  readonly serviceName?: string;
  readonly group?: string;
}

/** Server → agent: run or stop tasks. Resent until acked; adding is idempotent by ARN. Stop: same ARN, STOPPED, no containers. */
export interface PayloadMessage {
  readonly clusterArn: string;
  readonly containerInstanceArn: string;
  readonly messageId: string;
  readonly generatedAt: number;
  readonly seqNum: number;
  readonly tasks: readonly PayloadTask[];
}

export interface AckRequest {
  readonly cluster: string;
  readonly containerInstance: string;
  readonly messageId: string;
}

export interface HeartbeatMessage {
  readonly healthy: boolean;
  readonly messageId: string;
}

/** Server → agent: which tasks the server knows, to reconcile by. What the agent runs and the list lacks is a stop candidate. */
export interface TaskManifestMessage {
  readonly clusterArn: string;
  readonly containerInstanceArn: string;
  readonly messageId: string;
  readonly generatedAt: number;
  readonly timeline: number;
  readonly tasks: readonly {
    readonly taskArn: string;
    readonly taskClusterArn: string;
    readonly desiredStatus: 'RUNNING' | 'STOPPED';
  }[];
}

export interface StopIdentifier {
  readonly taskArn: string;
  readonly taskClusterArn: string;
  readonly desiredStatus: 'STOPPED';
}

export interface TaskStopVerificationMessage {
  readonly messageId: string;
  readonly stopCandidates: readonly StopIdentifier[];
}

export interface TaskStopVerificationAck {
  readonly messageId: string;
  readonly generatedAt: number;
  readonly stopTasks: readonly StopIdentifier[];
}

/** Server → agent: fresh credentials of a role; acked by IAMRoleCredentialsAckRequest. */
export interface IAMRoleCredentialsMessage {
  readonly messageId: string;
  readonly taskArn: string;
  readonly taskClusterArn: string;
  readonly roleType: 'TaskApplication' | 'TaskExecution';
  readonly roleCredentials: RoleCredentials;
}

export interface IAMRoleCredentialsAckRequest {
  readonly messageId: string;
  readonly expiration: string;
  readonly credentialsId: string;
}
