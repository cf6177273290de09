/** What other services ask of ECS. */
export interface EcsContract {
  /** Images (as `repository@digest` or as written) that tasks which are not stopped use: roots for the registry's clean-up. */
  imagesInUse(): Promise<readonly string[]>;
  /** Machines whose agent has a session now: what can be told to run tasks. */
  connectedMachines(): Promise<number>;
}
