/**
 * What other services ask of ECR. Announces `ecr.repository` (key: name) and `ecr.image` (key: `REPOSITORY@DIGEST`, also when
 * one of its tags comes or goes).
 */
export interface EcrContract {
  /** The digest that a tag or digest stands for in one of our repositories; undefined where there is no such image. */
  imageDigest(repositoryName: string, reference: string): Promise<string | undefined>;
}
