/**
 * Why a model's pattern can't be checked, or undefined where it can. botocore's patterns are written for Java's engine; those
 * that JavaScript does not take, or that could run for ever on hostile text, are left out of the models.
 */
export function patternProblem(pattern: string): string | undefined {
  try {
    compile(pattern);
  } catch (error) {
    return `does not compile: ${(error as Error).message}`;
  }
  return undefined;
}

function compile(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'u');
  } catch {
    // Many patterns escape what the `u` flag forbids to escape.
    return new RegExp(pattern);
  }
}
