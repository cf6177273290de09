/** How a registry is reached: where it answers, and with which Authorization header at first. */
export interface RegistryEndpoint {
  /** e.g. `http://127.0.0.1:4566`. */
  readonly url: string;
  /** The host as written in image references. */
  readonly host: string;
  /** e.g. `Basic …`; absent: anonymous, with a Bearer token where the registry asks for one. */
  readonly authorization?: string;
}

/** Finds the endpoint for a registry host. Throws ResourceInitializationError's text where credentials can't be had. */
export type RegistryAccess = (host: string) => Promise<RegistryEndpoint>;
