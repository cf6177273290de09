import type { AnyOperation } from '../../../wire/service.ts';
import type { IamContract } from '../../iam/contract.ts';
import type { EventsState } from '../state.ts';
import { busOperations } from './buses.ts';
import { eventOperations } from './events.ts';
import { ruleOperations } from './rules.ts';
import { tagOperations } from './tags.ts';
import { targetOperations } from './targets.ts';

/** Every operation of EventBridge that is answered. `runsTasks`: whether targets may be ECS clusters. */
export function eventsOperations(
  state: EventsState,
  iam: Pick<IamContract, 'checkPassRole'>,
  runsTasks: boolean,
): Readonly<Record<string, AnyOperation>> {
  return {
    ...busOperations(state),
    ...ruleOperations(state, iam),
    ...targetOperations(state, iam, runsTasks),
    ...eventOperations(state),
    ...tagOperations(state),
  };
}
