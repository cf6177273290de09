import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from './longshore.ts';

const script = `#!/bin/sh
mkdir -p /www
echo "\${VERSION:-v1} $HOSTNAME" > /www/index.html
echo ok > /www/health
echo "serving \${VERSION:-v1}"
trap 'echo "got SIGTERM"; kill $!; exit 7' TERM
httpd -f -p \${PORT:-80} -h /www &
wait $!
`;

/** Builds a small web server (busybox's httpd) as a local image of buildah's; ends with 7 when told to stop. */
export async function buildWebImage(name: string, version: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'longshore-image-'));
  try {
    cpSync('/bin/busybox', join(folder, 'busybox'));
    writeFileSync(join(folder, 'serve'), script, { mode: 0o755 });
    writeFileSync(
      join(folder, 'Dockerfile'),
      [
        'FROM scratch',
        'COPY busybox /bin/busybox',
        'RUN ["/bin/busybox", "--install", "-s", "/bin"]',
        'COPY serve /serve',
        `ENV PATH=/bin VERSION=${version}`,
        'EXPOSE 80',
        'CMD ["/serve"]',
        '',
      ].join('\n'),
    );
    await must('buildah', ['bud', '-q', '-t', name, folder], { timeoutMs: 120_000 });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
