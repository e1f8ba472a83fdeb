import { ValidationPipe, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';

/** One declared parameter of a task. */
export interface Parameter {
  /** The declared type, as the compiler left it in the metadata. */
  readonly metatype: ArgumentMetadata['metatype'];
  /** The pipes that are bound to this parameter alone. */
  readonly pipes: readonly PipeTransform[];
  /** The parameter's Standard Schema, which Nest 12 hands to pipes; Nest 11 has none. */
  readonly schema: unknown;
}

/** Called when a pipe threw an error. */
export type OnPipeError = (error: unknown, pipe: PipeTransform) => void;

/** The pipes of a task. Each argument goes through the pipes of the method, then through the pipes of its parameter. */
export class ArgumentPipes {
  readonly isEmpty: boolean;
  /** The declared parameters, each with all pipes that its argument goes through. */
  private readonly parameters: readonly Parameter[];
  /** Applies to arguments without a declared parameter. */
  private readonly undeclared: Parameter;

  /**
   * @param shared the pipes of the method
   * @param mayHaveRest whether the last parameter may be a rest parameter, so that further arguments have its type
   */
  constructor(shared: readonly PipeTransform[], parameters: readonly Parameter[], mayHaveRest: boolean) {
    this.parameters = parameters.map((parameter) => ({ ...parameter, pipes: [...shared, ...parameter.pipes] }));
    const undeclared: Parameter = { metatype: undefined, pipes: shared, schema: undefined };
    this.undeclared = (mayHaveRest ? this.parameters.at(-1) : undefined) ?? undeclared;
    this.isEmpty = [undeclared, ...this.parameters].every(({ pipes }) => pipes.length === 0);
  }

  /**
   * Whether there is a `ValidationPipe` and no declared type is known: by itself, the pipe then accepts every value. Also
   * true for a method without parameters.
   */
  get validateNothing(): boolean {
    const validators = [this.undeclared, ...this.parameters].flatMap(({ pipes }) => pipes).filter(isValidator);
    return (
      validators.some((pipe) => !Reflect.get(pipe, 'expectedType')) &&
      this.parameters.every(({ metatype }) => metatype === undefined)
    );
  }

  /** The pipes of the method for the arguments of one call, when the declared parameter of the method is a batch of calls. */
  ofOneCall(): ArgumentPipes {
    return new ArgumentPipes(this.undeclared.pipes, [], false);
  }

  /**
   * Returns the arguments as the pipes made them. A missing argument goes through the pipes too, as a missing body of a
   * request does: a pipe may refuse it, or return a default for it.
   */
  async apply(args: readonly unknown[], onError: OnPipeError): Promise<unknown[]> {
    const length = Math.max(args.length, this.parameters.length);
    const pending: Promise<unknown>[] = [];
    for (let index = 0; index < length; index++) pending.push(this.transform(args[index], index, onError));
    const piped = await Promise.all(pending);
    // An argument without a default stays missing. Otherwise a rest parameter would get an `undefined`.
    while (piped.length > args.length && piped.at(-1) === undefined) piped.pop();
    return piped;
  }

  private async transform(given: unknown, index: number, onError: OnPipeError): Promise<unknown> {
    const { metatype, pipes, schema } = this.parameters[index] ?? this.undeclared;
    // `@TaskArg()` would be `custom`, which Nest's validation pipes skip by default. So each argument counts as a body.
    const metadata = { type: 'body', metatype, ...(schema !== undefined && { schema }) } as ArgumentMetadata;
    let value = given;
    for (const pipe of pipes) {
      try {
        value = await pipe.transform(value, metadata);
      } catch (error) {
        onError(error, pipe);
        throw error;
      }
    }
    return value;
  }
}

export function isValidator(pipe: PipeTransform): pipe is ValidationPipe {
  return pipe instanceof ValidationPipe;
}
