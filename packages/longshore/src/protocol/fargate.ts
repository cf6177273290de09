/** The hidden cluster whose container instances give Fargate its capacity. */
export const fargateCluster = 'longshore-fargate';
