import { join } from 'node:path';
import type { Balancer } from '../../balancer/balancer.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { Names } from '../../dns/names.ts';
import type { DocumentMessage, LoadBalancerObservation } from '../../protocol/documents.ts';
import type {
  Envelope,
  IAMRoleCredentialsMessage,
  PayloadMessage,
  RoleCredentials,
  TaskManifestMessage,
  TaskStopVerificationAck,
} from '../../protocol/payload.ts';
import { readJson, writeJson } from '../files.ts';
import type { Networks } from '../network/networks.ts';
import type { NodeSettings } from '../settings.ts';
import type { Tasks } from '../task/tasks.ts';
import { Acs } from './acs.ts';
import { type AwsClient, ecs } from './aws-client.ts';
import { Documents } from './documents.ts';
import type { Registration } from './registration.ts';
import type { Submitter } from './submitter.ts';

/** How long after a manifest a task of it may still come as a payload. */
const lostAfterMs = 15_000;
const pollEndpointMs = 12 * 3_600_000;

export interface SessionParts {
  readonly settings: NodeSettings;
  readonly version: string;
  readonly registration: Registration;
  readonly aws: AwsClient;
  readonly tasks: Tasks;
  readonly submitter: Submitter;
  readonly networks: Networks;
  readonly balancer: Balancer;
  readonly names: Names;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** What passes between this node and the control plane: each message of the node protocol to whom it concerns. */
export class Session {
  readonly #parts: SessionParts;
  readonly #acs: Acs;
  readonly #documents: Documents;
  readonly #timelineFile: string;
  readonly #ended = new AbortController();
  #timeline = 0;
  #noting: Promise<void> | undefined;
  #endpoint: { readonly url: string; readonly until: number } | undefined;
  #observations: readonly LoadBalancerObservation[] = [];

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const { settings, clock, random, log } = parts;
    this.#timelineFile = join(settings.stateDir, 'timeline.json');
    this.#documents = new Documents(parts, (ack) => this.#acs.send('LongshoreDocumentAck', ack), log);
    this.#acs = new Acs({
      target: (first) => this.#target(first),
      region: settings.region,
      credentials: settings.credentials,
      clock,
      random,
      log,
      onConnected: () => this.#connected(),
      onMessage: (envelope) => this.#take(envelope),
      onUnknownInstance: async () => {
        await parts.registration.forget();
        await parts.registration.register(this.#ended.signal);
      },
    });
  }

  async start(): Promise<void> {
    this.#timeline = (await readJson<{ timeline: number }>(this.#timelineFile))?.timeline ?? 0;
    this.#parts.balancer.onObservation((observations) => {
      this.#observations = observations;
      this.#observe();
    });
    this.#acs.start();
  }

  async stop(): Promise<void> {
    this.#ended.abort(new Error('the node ends'));
    await this.#acs.stop();
    await this.#noting;
  }

  async #target(first: boolean): Promise<URL> {
    const { settings, registration, aws, clock, version } = this.#parts;
    if (!this.#endpoint || this.#endpoint.until < clock.now()) {
      const input = { containerInstance: registration.arn, cluster: settings.cluster };
      const { endpoint } = await aws.call<{ endpoint?: string }>(
        ecs,
        'DiscoverPollEndpoint',
        input,
        settings.credentials,
      );
      if (!endpoint) throw new Error('DiscoverPollEndpoint answered no endpoint');
      this.#endpoint = { url: endpoint, until: clock.now() + pollEndpointMs };
    }
    const url = new URL(`${this.#endpoint.url.replace(/\/$/, '')}/ws`);
    url.searchParams.set('agentHash', 'longshore');
    url.searchParams.set('agentVersion', '1.0.0');
    url.searchParams.set('clusterArn', settings.cluster);
    url.searchParams.set('containerInstanceArn', registration.arn);
    url.searchParams.set('dockerVersion', version);
    url.searchParams.set('protocolVersion', '2');
    url.searchParams.set('sendCredentials', String(first));
    url.searchParams.set('seqNum', '1');
    return url;
  }

  #connected(): void {
    this.#documents.newSession();
    this.#parts.submitter.hurry();
    this.#observe();
  }

  #observe(): void {
    this.#acs.send('LongshoreObservation', { messageId: this.#parts.random.uuid(), loadBalancers: this.#observations });
  }

  #take({ type, message }: Envelope): void {
    const { log, random, tasks } = this.#parts;
    switch (type) {
      case 'HeartbeatMessage':
        this.#acs.send('HeartbeatAckRequest', { messageId: (message as { messageId: string }).messageId });
        return;
      case 'LongshoreDocumentMessage':
        void this.#documents.take(message as DocumentMessage);
        return;
      case 'PayloadMessage':
        this.#takePayload(message as PayloadMessage);
        return;
      case 'IAMRoleCredentialsMessage': {
        const { taskArn, roleType, roleCredentials, messageId } = message as IAMRoleCredentialsMessage;
        tasks.renewCredentials(taskArn, roleType, roleCredentials);
        this.#ackCredentials(messageId, roleCredentials);
        return;
      }
      case 'TaskManifestMessage':
        this.#takeManifest(message as TaskManifestMessage);
        return;
      case 'TaskStopVerificationAck':
        for (const { taskArn } of (message as TaskStopVerificationAck).stopTasks) {
          log.warn({ task: taskArn }, 'the control plane does not want this task; stopping it');
          tasks.stop(taskArn);
        }
        return;
      default:
        log.debug({ type, id: random.hex(4) }, 'a message of a type that this node does not know');
    }
  }

  #takePayload(payload: PayloadMessage): void {
    this.#sawTimeline(payload.seqNum);
    for (const task of payload.tasks) {
      this.#parts.tasks.order(task);
      for (const credentials of [task.roleCredentials, task.executionRoleCredentials])
        if (credentials) this.#ackCredentials(payload.messageId, credentials);
    }
    this.#ack(payload.messageId);
  }

  /** What runs here and is not to run by the manifest is named to the server, which confirms what is really to stop. */
  #takeManifest(manifest: TaskManifestMessage): void {
    if (manifest.timeline <= this.#timeline) {
      this.#parts.log.debug({ timeline: manifest.timeline }, 'a manifest older than what was seen is dropped');
      return;
    }
    this.#sawTimeline(manifest.timeline);
    this.#ack(manifest.messageId);
    const wanted = new Set(
      manifest.tasks.filter(({ desiredStatus }) => desiredStatus === 'RUNNING').map(({ taskArn }) => taskArn),
    );
    // A task that is sent right after the manifest is known by then; one that is not was lost with the node's state.
    this.#parts.clock.after(lostAfterMs, () => this.#parts.tasks.reportLost([...wanted]));
    const stopCandidates = this.#parts.tasks
      .running()
      .filter(({ arn }) => !wanted.has(arn))
      .map(({ arn, clusterArn }) => ({ taskArn: arn, taskClusterArn: clusterArn, desiredStatus: 'STOPPED' }));
    if (stopCandidates.length === 0) return;
    this.#acs.send('TaskStopVerificationMessage', { messageId: this.#parts.random.uuid(), stopCandidates });
  }

  #ack(messageId: string): void {
    const { settings, registration } = this.#parts;
    this.#acs.send('AckRequest', { cluster: settings.cluster, containerInstance: registration.arn, messageId });
  }

  #ackCredentials(messageId: string, { expiration, credentialsId }: RoleCredentials): void {
    this.#acs.send('IAMRoleCredentialsAckRequest', { messageId, expiration, credentialsId });
  }

  #sawTimeline(timeline: number): void {
    if (!(timeline > this.#timeline)) return;
    this.#timeline = timeline;
    // One write at a time; what was seen meanwhile is written by the next.
    this.#noting ??= this.#noteTimeline().finally(() => {
      this.#noting = undefined;
    });
  }

  async #noteTimeline(): Promise<void> {
    for (let noted = -1; noted !== this.#timeline; ) {
      noted = this.#timeline;
      await writeJson(this.#timelineFile, { timeline: noted }).catch((error) =>
        this.#parts.log.warn({ error: String(error) }, 'could not note the timeline'),
      );
    }
  }
}
