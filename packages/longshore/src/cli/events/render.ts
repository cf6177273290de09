/** An event as EventBridge's targets get it. */
export interface ShownEvent {
  readonly time?: string;
  readonly source?: string;
  readonly 'detail-type'?: string;
  readonly resources?: readonly string[];
  readonly detail?: Readonly<Record<string, unknown>>;
}

export type Tone = 'plain' | 'good' | 'trouble';

/** One event as a line's parts: when, what kind, and what it comes to. */
export interface Line {
  readonly time: string;
  readonly kind: string;
  readonly text: string;
  readonly tone: Tone;
}

const mostText = 400;

/** What an event says, in short. `detail` may be anybody's: what could drive a terminal is left out. */
export function lineOf(event: ShownEvent): Line {
  const { text, tone = 'plain' } = summary(event);
  return {
    time: printable(event.time ?? '').slice(11, 19),
    kind: printable(event['detail-type'] ?? ''),
    text: printable(text).slice(0, mostText),
    tone,
  };
}

interface Summary {
  readonly text: string;
  readonly tone?: Tone;
}

function summary(event: ShownEvent): Summary {
  const detail = event.detail ?? {};
  const word = (name: string) => (typeof detail[name] === 'string' ? detail[name] : '');
  switch (event['detail-type']) {
    case 'ECS Task State Change':
      return task(word);
    case 'ECS Container Instance State Change': {
      const away = detail.agentConnected === false;
      const text = `instance ${short(word('containerInstanceArn'))}  ${word('status')}, agent ${away ? 'not connected' : 'connected'}`;
      return { text, tone: away ? 'trouble' : 'good' };
    }
    case 'ECS Deployment State Change':
    case 'ECS Service Action': {
      const name = lastPart(event.resources?.[0] ?? '');
      const tone = word('eventType') === 'INFO' ? 'plain' : 'trouble';
      const done = /(STEADY_STATE|COMPLETED)$/.test(word('eventName'));
      return { text: joined(`service ${name}`, word('eventName'), word('reason')), tone: done ? 'good' : tone };
    }
    case 'ECR Image Action':
      return {
        text: joined(
          `${word('repository-name')}${tagOf(word('image-tag'), word('image-digest'))}`,
          word('action-type'),
        ),
      };
    case 'ECR Image Scan': {
      const found = Object.entries((detail['finding-severity-counts'] ?? {}) as Record<string, unknown>);
      const counts = found.map(([severity, count]) => `${count} ${severity}`).join(', ');
      return { text: joined(word('repository-name'), word('scan-status'), counts) };
    }
    case 'Scheduled Event':
      return { text: `rule ${lastPart(event.resources?.[0] ?? '')}` };
    default:
      return { text: joined(event.source ?? '', JSON.stringify(detail)) };
  }
}

function task(word: (name: string) => string): Summary {
  const status = word('lastStatus');
  const ending = ['DEACTIVATING', 'STOPPING', 'DEPROVISIONING', 'STOPPED'].includes(status);
  const stopping = !ending && word('desiredStatus') === 'STOPPED';
  const health = word('healthStatus');
  const what = [
    `task ${short(word('taskArn'))}`,
    word('group'),
    stopping ? `${status}, is to stop` : status,
    health === 'UNKNOWN' ? '' : health,
    ending || stopping ? word('stoppedReason') : '',
  ];
  const tone = status === 'STOPPED' || health === 'UNHEALTHY' ? 'trouble' : status === 'RUNNING' ? 'good' : 'plain';
  return { text: joined(...what), tone: stopping ? 'plain' : tone };
}

const joined = (...parts: readonly string[]) => parts.filter((part) => part !== '').join('  ');
const lastPart = (arn: string) => arn.slice(arn.lastIndexOf('/') + 1);
const short = (arn: string) => lastPart(arn).slice(0, 8);
const tagOf = (tag: string, digest: string) => (tag ? `:${tag}` : digest ? `@${digest.slice(0, 19)}` : '');

/** Without control characters. */
const printable = (text: string): string => text.replace(/\p{Cc}+/gu, ' ');
