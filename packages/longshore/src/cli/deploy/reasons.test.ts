import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reasonOfStop, whyUnsteady } from './reasons.ts';

test('a stopped task is told with what its containers ended with', () => {
  const stoppedReason = 'Essential container in task exited';
  assert.equal(
    reasonOfStop({
      stoppedReason,
      containers: [
        { name: 'app', exitCode: 2 },
        { name: 'side', exitCode: 0 },
      ],
    }),
    `${stoppedReason}; app: exit code 2`,
  );
  assert.equal(
    reasonOfStop({ stoppedReason, containers: [{ name: 'app', exitCode: 137, reason: 'OutOfMemoryError' }] }),
    `${stoppedReason}; app: OutOfMemoryError, exit code 137`,
  );
  assert.equal(reasonOfStop({}), 'stopped');
});

test('a service waits for an unhealthy task before anything else', () => {
  const service = { events: [{ message: '(service app) registered 1 targets' }] };
  const target = (State: string, Description?: string) => ({
    Target: { Id: '172.31.0.5', Port: 80 },
    TargetHealth: { State, ...(Description && { Description }) },
  });
  assert.equal(
    whyUnsteady(service, [target('healthy'), target('unhealthy', 'Health checks failed')]),
    'The task at 172.31.0.5:80 runs but is not healthy: Health checks failed',
  );
  assert.equal(whyUnsteady(service, [target('initial')]), 'Its last event: (service app) registered 1 targets');
  assert.equal(whyUnsteady(undefined, []), undefined);
});
