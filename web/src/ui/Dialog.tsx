import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { dialog } from "../state/dialogs";
import { Icon } from "./Icon";

interface Props {
  title: string;
  children: ComponentChildren;
  size?: "narrow" | "middle" | "wide";
}

/** A dialog over the page; the browser keeps the focus in it and gives it back when it closes. */
export function Dialog({ title, children, size = "narrow" }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const id = useId();
  useEffect(() => {
    const opened = element.current;
    const before = document.activeElement;
    opened?.showModal();
    heading.current?.focus(); // what it is, is read first
    return () => {
      opened?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const close = () => {
    dialog.value = null;
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the browser closes it with Escape
    <dialog
      ref={element}
      class={size}
      aria-labelledby={id}
      // The event comes late: that of a dialog which is gone already must not close the next one.
      onClose={(event) => event.currentTarget.isConnected && close()}
      onClick={(event) => event.target === element.current && close()}
    >
      <div class="dialog-inside">
        <header>
          <h2 id={id} ref={heading} tabIndex={-1}>
            {title}
          </h2>
          <button type="button" class="button icon-only" aria-label="Close" onClick={close}>
            <Icon name="close" />
          </button>
        </header>
        <div class="dialog-body">{children}</div>
      </div>
    </dialog>
  );
}
