/** What a task asks of the machine. */
export interface Demand {
  readonly taskId: string;
  readonly cpuUnits: number;
  readonly memoryMiB: number;
}

export interface Capacity {
  readonly cpuUnits: number;
  readonly memoryMiB: number;
}

/** Sets the machine's resources aside for tasks, first come, first served: what does not fit waits, and what comes after it too. */
export class Admission {
  /** What all tasks together may be promised, and the most that one may have. */
  readonly #total: Capacity;
  readonly #most: Capacity;
  readonly #held = new Map<string, Demand>();
  readonly #waiting: { readonly demand: Demand; readonly admit: () => void }[] = [];

  constructor(total: Capacity, most: Capacity) {
    this.#total = total;
    this.#most = most;
  }

  /** Calls `admit` when there is room, at once if there is. Answers false, and forgets it, where there never can be. */
  request(demand: Demand, admit: () => void): boolean {
    if (demand.cpuUnits > this.#most.cpuUnits || demand.memoryMiB > this.#most.memoryMiB) return false;
    this.#waiting.push({ demand, admit });
    this.#next();
    return true;
  }

  /** Counts a task that runs already, whether it fits or not. */
  hold(demand: Demand): void {
    this.#held.set(demand.taskId, demand);
  }

  /** Gives back what the task holds, or its place in the queue. */
  release(taskId: string): void {
    this.#held.delete(taskId);
    const index = this.#waiting.findIndex(({ demand }) => demand.taskId === taskId);
    if (index >= 0) this.#waiting.splice(index, 1);
    this.#next();
  }

  #next(): void {
    for (let first = this.#waiting[0]; first && this.#fits(first.demand); first = this.#waiting[0]) {
      this.#waiting.shift();
      this.#held.set(first.demand.taskId, first.demand);
      first.admit();
    }
  }

  #fits({ cpuUnits, memoryMiB }: Demand): boolean {
    let cpu = cpuUnits;
    let memory = memoryMiB;
    for (const held of this.#held.values()) {
      cpu += held.cpuUnits;
      memory += held.memoryMiB;
    }
    return cpu <= this.#total.cpuUnits && memory <= this.#total.memoryMiB;
  }
}
