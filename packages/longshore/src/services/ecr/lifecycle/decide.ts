import { type LifecycleRule, matchesTags } from './grammar.ts';

/** What rules look at in an image. Times in milliseconds since the epoch. */
export interface LifecycleImage {
  readonly digest: string;
  readonly tags: readonly string[];
  readonly archived: boolean;
  readonly pushedAt: number;
  readonly pulledAt: number | null;
  readonly archivedAt: number | null;
  /** When it last came back from the archive. */
  readonly activatedAt: number | null;
  /** The image that this one is a signature or SBOM of. */
  readonly subject: string | null;
  /** Images that an index needs. */
  readonly children: readonly string[];
}

export interface LifecycleVerdict {
  readonly digest: string;
  readonly action: LifecycleRule['action'];
  readonly priority: number;
}

const dayMilliseconds = 24 * 3_600_000;

/**
 * What a policy does to the images of a repository now, by ECR's evaluation rules (user guide, "Lifecycle policies"): one rule
 * at most acts on an image; a rule shields the images that it selects from every rule of lower priority, but those still count
 * them; older images go first. Images that an index needs and images in use are left alone; a referrer follows its subject.
 */
export function decideLifecycle(
  rules: readonly LifecycleRule[],
  images: readonly LifecycleImage[],
  now: number,
  inUse: ReadonlySet<string> = new Set(),
): readonly LifecycleVerdict[] {
  const present = new Set(images.map((image) => image.digest));
  const needed = new Set(images.flatMap((image) => image.children));
  const follows = (image: LifecycleImage) => image.subject !== null && present.has(image.subject);
  const standing = images.filter((image) => !needed.has(image.digest) && !follows(image));
  const verdicts = new Map<string, LifecycleVerdict>();
  const shielded = new Set<string>();
  for (const rule of rules) {
    const selected = standing.filter(
      (image) => image.archived === (rule.storageClass === 'archive') && matchesTags(rule, image.tags),
    );
    for (const { digest } of outdated(rule, selected, now))
      if (!shielded.has(digest) && !inUse.has(digest))
        verdicts.set(digest, { digest, action: rule.action, priority: rule.priority });
    for (const { digest } of selected) shielded.add(digest);
  }
  addFollowers(verdicts, images, needed, inUse);
  return [...verdicts.values()];
}

/** The images of a rule's selection that are too many or too old, oldest first. */
function outdated(rule: LifecycleRule, selected: readonly LifecycleImage[], now: number): readonly LifecycleImage[] {
  const aged = (at: (image: LifecycleImage) => number) => {
    const latest = now - rule.countNumber * dayMilliseconds;
    return byAge(selected, at).filter((image) => at(image) < latest);
  };
  switch (rule.countType) {
    case 'imageCountMoreThan':
      return byAge(selected, kept).slice(0, Math.max(0, selected.length - rule.countNumber));
    case 'sinceImagePushed':
      return aged(kept);
    case 'sinceImagePulled':
      return aged((image) => Math.max(image.pulledAt ?? 0, kept(image)));
    case 'sinceImageTransitioned':
      return aged((image) => image.archivedAt ?? Number.POSITIVE_INFINITY);
  }
}

/** Since when an image counts as kept: since it was pushed, or since it came back from the archive. */
function kept(image: LifecycleImage): number {
  return image.activatedAt ?? image.pushedAt;
}

function byAge(images: readonly LifecycleImage[], at: (image: LifecycleImage) => number): LifecycleImage[] {
  return [...images].sort((a, b) => at(a) - at(b) || (a.digest < b.digest ? -1 : 1));
}

/** Referrers share their subject's fate, and so do their own referrers. */
function addFollowers(
  verdicts: Map<string, LifecycleVerdict>,
  images: readonly LifecycleImage[],
  needed: ReadonlySet<string>,
  inUse: ReadonlySet<string>,
): void {
  const referrers = Map.groupBy(
    images.filter((image) => image.subject !== null),
    (image) => image.subject as string,
  );
  const waiting = [...verdicts.values()];
  for (let verdict = waiting.pop(); verdict; verdict = waiting.pop()) {
    for (const { digest, archived } of referrers.get(verdict.digest) ?? []) {
      const already = verdicts.has(digest) || needed.has(digest) || inUse.has(digest);
      if (already || (verdict.action === 'transition' && archived)) continue;
      const own = { ...verdict, digest };
      verdicts.set(digest, own);
      waiting.push(own);
    }
  }
}
