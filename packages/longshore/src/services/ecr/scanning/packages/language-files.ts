/** Files by which language packages are known; a distribution's packages own many of them. */
export function isLanguageFile(path: string): boolean {
  return (
    path.endsWith('.dist-info/METADATA') ||
    path.endsWith('.egg-info') ||
    path.endsWith('.egg-info/PKG-INFO') ||
    path.endsWith('.gemspec') ||
    path.endsWith('.jar') ||
    path.endsWith('/package.json')
  );
}
