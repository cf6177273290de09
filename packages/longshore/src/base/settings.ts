/** What one Longshore is told when it starts; the command line and `LONGSHORE_*` variables fill it. */
export interface Settings {
  /** The API's port on `host`. */
  readonly port: number;
  /** The address that the API listens on, `127.0.0.1` unless told. */
  readonly host: string;
  /** Absolute path of the folder that holds everything this Longshore keeps. */
  readonly dataDir: string;
  /** Four hexadecimal characters made once for a data directory: they keep the names of several Longshores on a machine apart. */
  readonly instanceId: string;
  readonly region: string;
  /** Twelve digits. */
  readonly accountId: string;
  /** `off` takes any key and allows everything; only on loopback. */
  readonly auth: 'on' | 'off';
  readonly runtime: 'containerd' | 'simulated';
  /** IPv4 range for public addresses, e.g. `100.64.0.0/16`; each Longshore on a machine has its own. */
  readonly publicPool: string;
  /** The program and arguments of an external image scanner; ours scans where absent. */
  readonly scanner?: readonly string[];
  /** Where the registry's blobs lie: `s3://BUCKET/PREFIX?endpoint=URL`; absent: in files of the data directory. */
  readonly blobStore?: string;
}
