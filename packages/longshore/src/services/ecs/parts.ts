import type { Tx } from '../../state/store.ts';
import type { ServiceParts } from '../contract.ts';
import type { Ec2Contract } from '../ec2/contract.ts';
import type { Elbv2Contract } from '../elbv2/contract.ts';
import type { EventsContract } from '../events/contract.ts';
import type { IamContract } from '../iam/contract.ts';
import type { EcsTables } from './tables.ts';

/** The services that ECS leans on. */
export interface EcsOthers {
  readonly ec2: Ec2Contract;
  readonly elbv2: Elbv2Contract;
  readonly iam: IamContract;
  /** EventBridge; without it nobody is told of events. */
  readonly events?: Pick<EventsContract, 'emit'>;
}

/** What everything in this room is made from. */
export interface EcsParts extends ServiceParts<EcsTables>, EcsOthers {}

export type EcsTx = Tx<EcsTables>;

/** The transaction as other services take it: they know tables of their own. */
export const foreign = (tx: EcsTx): Tx<unknown> => tx as unknown as Tx<unknown>;
