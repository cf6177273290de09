/** What other services ask of ECR. */
export interface EcrContract {
  /** The digest that a tag or digest stands for in one of our repositories; undefined where there is no such image. */
  imageDigest(repositoryName: string, reference: string): Promise<string | undefined>;
}
