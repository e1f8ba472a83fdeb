const LISTENING = /^(?:\s|--.*\n)*(?<verb>UNLISTEN|LISTEN)\s+(?:"(?<quoted>.+)"|(?<plain>\w+))\s*;?\s*$/i;

/** A statement that begins or ends to listen. */
export interface ListenStatement {
  readonly listens: boolean;
  readonly channel: string;
}

/** @returns `undefined` for any other statement */
export function readListenStatement(text: string): ListenStatement | undefined {
  const { verb, quoted, plain = '' } = LISTENING.exec(text)?.groups ?? {};
  if (verb === undefined) return undefined;
  return {
    listens: verb.toUpperCase() === 'LISTEN',
    channel: quoted?.replaceAll('""', '"') ?? plain.toLowerCase(),
  };
}

export function unlistenStatement(channel: string): string {
  return `UNLISTEN "${channel.replaceAll('"', '""')}"`;
}
