import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backOffMs, breakerThreshold, limits } from './arithmetic.ts';
import { type DeploymentView, decide, type ServiceView, type TaskView } from './decide.ts';

const deployment = (over: Partial<DeploymentView> = {}): DeploymentView => ({
  id: 'ecs-svc/2',
  status: 'PRIMARY',
  rolloutState: 'IN_PROGRESS',
  everCompleted: false,
  createdAt: 2,
  failedTasks: 0,
  startFailures: 0,
  lastFailureAt: undefined,
  placementFailed: false,
  rollingBackFrom: undefined,
  ...over,
});
const old = deployment({
  id: 'ecs-svc/1',
  status: 'ACTIVE',
  rolloutState: 'COMPLETED',
  everCompleted: true,
  createdAt: 1,
});
const service = (over: Partial<ServiceView> = {}): ServiceView => ({
  name: 'web',
  draining: false,
  desiredCount: 2,
  minimumHealthyPercent: 100,
  maximumPercent: 200,
  circuitBreaker: { enable: false, rollback: false },
  steady: false,
  ...over,
});
let count = 0;
const task = (deploymentId: string, health: TaskView['health'] = 'healthy'): TaskView => ({
  arn: `task-${++count}`,
  deploymentId,
  createdAt: count,
  health,
});

test('the numbers of the documentation', () => {
  assert.deepEqual(limits(5, 50, 150), { minimum: 3, maximum: 7 });
  assert.deepEqual([1, 25, 400, 1000].map(breakerThreshold), [3, 13, 200, 200]);
  assert.deepEqual(
    [0, 1, 2, 3, 4, 100].map((failures) => backOffMs(failures, 1)),
    [0, 0, 1000, 2000, 4000, 900_000],
  );
  assert.equal(backOffMs(50, 50), 0, 'a round of failures is as many as are desired');
});

test('a new service starts all of its tasks, and is steady once they are healthy', () => {
  const first = decide(service(), [deployment()], [], 0);
  assert.deepEqual(first.start, { deploymentId: 'ecs-svc/2', count: 2 });
  const done = decide(service(), [deployment()], [task('ecs-svc/2'), task('ecs-svc/2')], 0);
  assert.equal(done.start, undefined);
  assert.deepEqual(
    done.rollout.map((one) => one.state),
    ['COMPLETED'],
  );
  assert.ok(done.steady && done.events.includes('(service web) has reached a steady state.'));
  const still = decide(
    service({ steady: true }),
    [deployment({ rolloutState: 'COMPLETED' })],
    [task('ecs-svc/2'), task('ecs-svc/2')],
    0,
  );
  assert.deepEqual([still.events, still.rollout, still.stop, still.start], [[], [], [], undefined]);
});

test('scaling down stops tasks that are not up yet before those that serve', () => {
  const tasks = [task('ecs-svc/2'), task('ecs-svc/2', 'starting'), task('ecs-svc/2')];
  const { stop } = decide(service({ desiredCount: 2 }), [deployment({ rolloutState: 'COMPLETED' })], tasks, 0);
  assert.deepEqual(stop, [{ arn: tasks[1]!.arn, reason: 'Scaling activity initiated by (deployment ecs-svc/2)' }]);
});

test('an unhealthy task goes only after its replacement works, where there is room for one', () => {
  const bad: TaskView = {
    ...task('ecs-svc/2', 'unhealthy'),
    unhealthyReason: 'Task failed ELB health checks in (target-group tg)',
  };
  const good = task('ecs-svc/2');
  const first = decide(service(), [deployment()], [bad, good], 0);
  assert.deepEqual([first.start?.count, first.stop], [1, []]);
  const replaced = decide(service(), [deployment()], [bad, good, task('ecs-svc/2')], 0);
  assert.deepEqual(replaced.stop, [{ arn: bad.arn, reason: 'Task failed ELB health checks in (target-group tg)' }]);
  const full = decide(service({ maximumPercent: 100, minimumHealthyPercent: 50 }), [deployment()], [bad, good], 0);
  assert.equal(full.stop[0]?.arn, bad.arn);
});

test('the circuit breaker fails the deployment and rolls back to the last that completed', () => {
  const failing = deployment({ failedTasks: 3 });
  const plain = decide(
    service({ circuitBreaker: { enable: true, rollback: false } }),
    [failing, old],
    [task('ecs-svc/1')],
    0,
  );
  assert.deepEqual([plain.rollout[0]?.state, plain.rollback], ['FAILED', undefined]);
  const back = decide(
    service({ circuitBreaker: { enable: true, rollback: true } }),
    [failing, old],
    [task('ecs-svc/1')],
    0,
  );
  assert.deepEqual(back.rollback, { from: 'ecs-svc/2', to: 'ecs-svc/1' });
  assert.ok(back.events.includes('(service web) rolling back to deployment ecs-svc/1.'));
  const below = decide(
    service({ circuitBreaker: { enable: true, rollback: true } }),
    [deployment({ failedTasks: 2 }), old],
    [],
    0,
  );
  assert.equal(below.rollback, undefined);
});

test('tasks that never start are waited for, longer each time', () => {
  const failing = deployment({ startFailures: 6, lastFailureAt: 1_000 });
  const now = decide(service(), [failing], [], 1_500);
  assert.deepEqual([now.start, now.wakeAt], [undefined, 3_000]);
  assert.equal(decide(service(), [failing], [], 3_000).start?.count, 2);
});

test('a service that is deleted stops everything', () => {
  const tasks = [task('ecs-svc/1'), task('ecs-svc/2', 'starting')];
  assert.deepEqual(
    decide(service({ draining: true, desiredCount: 0 }), [deployment(), old], tasks, 0).stop.map((one) => one.arn),
    tasks.map((one) => one.arn),
  );
});

/** A repeatable generator (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test('whatever the percentages, a rollout stays within its limits and ends', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const next = generator(seed);
    const desiredCount = 1 + Math.floor(next() * 12);
    const minimumHealthyPercent = Math.floor(next() * 101);
    const maximumPercent = 100 + Math.floor(next() * 101);
    const { minimum, maximum } = limits(desiredCount, minimumHealthyPercent, maximumPercent);
    const view = service({ desiredCount, minimumHealthyPercent, maximumPercent });
    let tasks: TaskView[] = Array.from({ length: desiredCount }, () => task('ecs-svc/1'));
    let deployments: DeploymentView[] = [deployment(), old];
    let steady = false;
    const facts = `seed ${seed}: ${desiredCount} tasks, ${minimumHealthyPercent} to ${maximumPercent} %`;
    for (let round = 0; round < 200 && !steady; round++) {
      const decision = decide({ ...view, steady }, deployments, tasks, 0);
      const stopping = new Set(decision.stop.map((one) => one.arn));
      const before = tasks.filter((one) => one.health === 'healthy').length;
      tasks = tasks.filter((one) => !stopping.has(one.arn));
      const after = tasks.filter((one) => one.health === 'healthy').length;
      assert.ok(after >= Math.min(before, minimum), `${facts}: ${after} healthy tasks are left`);
      for (let index = 0; index < (decision.start?.count ?? 0); index++) tasks.push(task('ecs-svc/2', 'starting'));
      assert.ok(tasks.length <= maximum, `${facts}: ${tasks.length} tasks`);
      deployments = deployments.filter((one) => !decision.retire.includes(one.id));
      steady = decision.steady;
      // Some of those that start become healthy.
      tasks = tasks.map((one) => (one.health === 'starting' && next() < 0.5 ? { ...one, health: 'healthy' } : one));
    }
    const stuck = maximum <= minimum;
    assert.equal(steady, !stuck, facts);
    if (!stuck)
      assert.deepEqual([deployments.length, tasks.every((one) => one.deploymentId === 'ecs-svc/2')], [1, true], facts);
  }
});

test('tasks that die and sicken at random never push a service past its maximum, and it recovers', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const next = generator(seed);
    const desiredCount = 1 + Math.floor(next() * 8);
    const view = service({
      desiredCount,
      maximumPercent: 100 + Math.floor(next() * 101),
      minimumHealthyPercent: Math.floor(next() * 100),
    });
    const { maximum } = limits(desiredCount, 0, view.maximumPercent);
    let tasks: TaskView[] = [];
    let steady = false;
    for (let round = 0; round < 120 && !(steady && round > 60); round++) {
      const decision = decide({ ...view, steady }, [deployment({ rolloutState: 'COMPLETED' })], tasks, 0);
      const stopping = new Set(decision.stop.map((one) => one.arn));
      tasks = tasks.filter((one) => !stopping.has(one.arn));
      for (let index = 0; index < (decision.start?.count ?? 0); index++) tasks.push(task('ecs-svc/2', 'starting'));
      assert.ok(tasks.length <= maximum, `seed ${seed}`);
      steady = decision.steady;
      tasks = tasks.map((one) => (one.health === 'starting' && next() < 0.5 ? { ...one, health: 'healthy' } : one));
      if (round < 50) {
        tasks = tasks.filter(() => next() > 0.1).map((one) => (next() < 0.1 ? { ...one, health: 'unhealthy' } : one));
      }
    }
    assert.ok(steady, `seed ${seed} did not recover`);
  }
});
