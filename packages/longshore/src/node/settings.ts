/** What a node is told when it starts. Everything else it learns over the node protocol. */
export interface NodeSettings {
  /** Where the control plane answers, e.g. `http://127.0.0.1:4566`. */
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** The cluster to register with. `longshore-fargate` is the hidden one whose machines run Fargate tasks. */
  readonly cluster: string;
  /** Absolute path of the node's own folder, `DATA_DIR/node`: state, containerd, HAProxy. */
  readonly stateDir: string;
  /** Four hexadecimal characters that keep the names of several Longshores on a machine apart. */
  readonly instanceId: string;
  readonly runtime: 'containerd' | 'simulated';
  readonly publicPool: string;
}

export { fargateCluster } from '../protocol/fargate.ts';
