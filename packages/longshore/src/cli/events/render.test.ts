import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSince } from '../events.ts';
import { lineOf } from './render.ts';

const task = (detail: object) =>
  lineOf({
    time: '2026-11-23T19:08:03Z',
    'detail-type': 'ECS Task State Change',
    detail: { taskArn: 'arn:aws:ecs:eu-west-1:1:task/default/0123456789abcdef', group: 'service:web', ...detail },
  });

test('a task: what it came to, and why it stopped', () => {
  assert.deepEqual(task({ lastStatus: 'RUNNING', desiredStatus: 'RUNNING', healthStatus: 'UNKNOWN' }), {
    time: '19:08:03',
    kind: 'ECS Task State Change',
    text: 'task 01234567  service:web  RUNNING',
    tone: 'good',
  });
  assert.equal(
    task({ lastStatus: 'RUNNING', desiredStatus: 'STOPPED', stoppedReason: 'Scaling activity' }).text,
    'task 01234567  service:web  RUNNING, is to stop  Scaling activity',
  );
  assert.equal(task({ lastStatus: 'STOPPED', desiredStatus: 'STOPPED' }).tone, 'trouble');
});

test('services, machines, images, schedules and anything else', () => {
  const resources = ['arn:aws:ecs:eu-west-1:1:service/default/web'];
  const action = { eventType: 'ERROR', eventName: 'SERVICE_TASK_PLACEMENT_FAILURE', reason: 'RESOURCE:CPU' };
  assert.deepEqual(lineOf({ 'detail-type': 'ECS Service Action', resources, detail: action }), {
    time: '',
    kind: 'ECS Service Action',
    text: 'service web  SERVICE_TASK_PLACEMENT_FAILURE  RESOURCE:CPU',
    tone: 'trouble',
  });
  const image = { 'repository-name': 'app', 'image-tag': 'v1', 'action-type': 'PUSH' };
  assert.equal(lineOf({ 'detail-type': 'ECR Image Action', detail: image }).text, 'app:v1  PUSH');
  const rule = ['arn:aws:events:eu-west-1:1:rule/nightly'];
  assert.equal(lineOf({ 'detail-type': 'Scheduled Event', resources: rule }).text, 'rule nightly');
  assert.equal(lineOf({ 'detail-type': 'Order', source: 'shop', detail: { id: 1 } }).text, 'shop  {"id":1}');
});

test('what somebody put into an event drives no terminal', () => {
  const { kind, text } = lineOf({ 'detail-type': '\u001b[2J', source: 'a\u001b]0;x\u0007b\nc', detail: {} });
  assert.doesNotMatch(kind + text, /\p{Cc}/u);
});

test('--since', () => {
  assert.equal(parseSince('10m', 1_000_000), 400_000);
  assert.equal(parseSince('1970-01-01T00:00:01Z', 0), 1_000);
  assert.throws(() => parseSince('yesterday-ish', 0), /Say for instance/);
});
