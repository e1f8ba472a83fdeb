const CLUSTER_URL = /^redis(s?)\+cluster:\/\/(?:(.*)@)?([^@/?#]+)(?:\/0?)?$/i;

/** The options of ioredis' `Cluster`, as far as a URL has them. */
export interface ClusterUrlOptions {
  readonly nodes: { readonly host: string; readonly port: number }[];
  readonly redisOptions: { readonly username?: string; readonly password?: string; readonly tls?: object };
  readonly [option: string]: unknown;
}

/** Whether a URL means a Redis Cluster. */
export function isClusterUrl(url: string): boolean {
  return /^rediss?\+cluster:/i.test(url);
}

/**
 * The options for `redis+cluster://user:password@node-1:6379,node-2:6379`, or `rediss+cluster://` for nodes with TLS. Some of the nodes
 * are enough: each knows the others.
 *
 * @returns `undefined` when the text is no such URL
 */
export function clusterOptionsOf(url: string): ClusterUrlOptions | undefined {
  const [, tls, credentials, list = ''] = CLUSTER_URL.exec(url) ?? [];
  const nodes = list.split(',').map(nodeOf);
  if (nodes.length === 0 || nodes.includes(undefined)) return undefined;
  const login = loginOf(credentials);
  if (!login) return undefined;
  return {
    nodes: nodes as { host: string; port: number }[],
    redisOptions: { ...login, ...(tls && { tls: {} }) },
  };
}

function nodeOf(text: string): { host: string; port: number } | undefined {
  if (text === '' || !URL.canParse(`redis://${text}`)) return undefined;
  const { hostname, port } = new URL(`redis://${text}`);
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || 6379) };
}

/** @returns `undefined` when the text is not percent-encoded */
function loginOf(credentials: string | undefined): { username?: string; password?: string } | undefined {
  if (credentials === undefined) return {};
  const separator = credentials.indexOf(':');
  const [username, password] =
    separator === -1 ? [credentials, ''] : [credentials.slice(0, separator), credentials.slice(separator + 1)];
  try {
    return {
      ...(username && { username: decodeURIComponent(username) }),
      ...(password && { password: decodeURIComponent(password) }),
    };
  } catch {
    return undefined;
  }
}
