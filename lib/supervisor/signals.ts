import { isatty } from 'node:tty';

/** What the signals of the process ask for. */
export interface SignalHandlers {
  /** SIGTERM or SIGINT; a second one of either: at once. */
  stop(signal: 'SIGTERM' | 'SIGINT', isRepeated: boolean): void;
  /** SIGHUP. */
  restart(): void;
}

/**
 * Follows the signals of this process.
 *
 * @returns stops to follow them
 */
export function followSignals({ stop, restart }: SignalHandlers): () => void {
  const hasTerminal = isatty(0);
  let isStopping = false;
  const end = (signal: 'SIGTERM' | 'SIGINT') => {
    stop(signal, isStopping);
    isStopping = true;
  };
  const onHangUp = () => {
    // A terminal that closes sends SIGHUP too, and then it is gone.
    if (hasTerminal && !isatty(0)) end('SIGTERM');
    else if (!isStopping) restart();
  };
  process.on('SIGTERM', end).on('SIGINT', end).on('SIGHUP', onHangUp);
  return () => void process.off('SIGTERM', end).off('SIGINT', end).off('SIGHUP', onHangUp);
}
