import profile from './seccomp-profile.json' with { type: 'json' };

/** `linux.seccomp` of the OCI runtime specification (config-linux.md). */
export interface OciSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly {
    readonly names: readonly string[];
    readonly action: string;
    readonly errnoRet?: number;
    readonly args?: readonly {
      readonly index: number;
      readonly value: number;
      readonly valueTwo?: number;
      readonly op: string;
    }[];
  }[];
}

interface Condition {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
}

const goArchitecture: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  s390x: 's390x',
  ppc64: 'ppc64le',
};
const seccompArchitecture: Readonly<Record<string, string>> = { x64: 'SCMP_ARCH_X86_64', arm64: 'SCMP_ARCH_AARCH64' };

/** EPERM: what a call that the profile does not allow answers. */
const refused = 1;

/**
 * The default profile as it applies to a container with these capabilities on a machine of this architecture (Node's name).
 * The profile is that of github.com/containers/common (Apache-2.0), in the form that Docker's and Podman's `seccomp.json` have:
 * each entry holds where all of `includes` and none of `excludes` do.
 *
 * The filter is compiled at every start, and its size is most of what a start costs, so it is kept small. Calls that it does not
 * name are refused with EPERM, as by Docker's profile (runc answers ENOSYS for calls newer than the profile), which makes
 * entries that only say EPERM needless. And it is for the machine's own architecture alone: programs of its 32-bit
 * predecessor end with SIGSYS. Both together save 50 ms of 110.
 */
export function seccompFor(capabilities: readonly string[], architecture: string): OciSeccomp {
  const arch = goArchitecture[architecture] ?? architecture;
  const main = seccompArchitecture[architecture];
  const includes = ({ caps, arches }: Condition) =>
    (caps ?? []).every((cap) => capabilities.includes(cap)) && (arches === undefined || arches.includes(arch));
  const excludes = ({ caps, arches }: Condition) =>
    (caps ?? []).some((cap) => capabilities.includes(cap)) || (arches ?? []).includes(arch);
  return {
    defaultAction: profile.defaultAction,
    defaultErrnoRet: refused,
    architectures: main ? [main] : [],
    syscalls: profile.syscalls
      .filter((entry) => includes(entry.includes as Condition) && !excludes(entry.excludes as Condition))
      .filter((entry) => entry.action !== profile.defaultAction || entry.errnoRet !== refused)
      .map((entry) => ({
        names: entry.names,
        action: entry.action,
        ...(entry.errnoRet !== undefined && { errnoRet: entry.errnoRet }),
        ...(entry.args?.length && {
          args: (entry.args as { index: number; value: number; valueTwo: number; op: string }[]).map((arg) => ({
            index: arg.index,
            value: arg.value,
            valueTwo: arg.valueTwo,
            op: arg.op,
          })),
        }),
      })),
  };
}
