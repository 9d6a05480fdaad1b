"""Collects (first sentence, rest) pairs from the doc comments of MIT/Apache crates in the cargo registry."""
import glob, os, re, json, gzip, random
random.seed(1)
out=[]; seen=set()
roots=glob.glob(os.path.expanduser('~/.cargo/registry/src/*/*'))
for d in sorted(roots):
    try: toml=open(d+'/Cargo.toml',encoding='utf-8').read()
    except OSError: continue
    m=re.search(r'^license\s*=\s*"([^"]+)"',toml,re.M)
    if not m or not re.search(r'MIT|Apache',m.group(1)): continue
    n0=len(out)
    for f in sorted(glob.glob(d+'/**/*.rs',recursive=True)):
        try: t=open(f,encoding='utf-8').read()
        except Exception: continue
        for block in re.finditer(r'(?:^[ \t]*//[/!](?!/).*\n)+([^\n]*)',t,re.M):
            lines=[re.sub(r'^[ \t]*//[/!] ?','',l) for l in block.group(0).split('\n') if re.match(r'[ \t]*//[/!]',l)]
            text='\n'.join(lines).strip()
            code=re.sub(r'```.*?(```|\Z)',' ',text,flags=re.S)
            paras=[p.strip() for p in re.split(r'\n\s*\n',code) if p.strip()]
            if not paras: continue
            clean=lambda s: re.sub(r'\s+',' ',re.sub(r'\[([^\]]*)\]\([^)]*\)|\[`?([^\]`]*)`?\]',lambda m:(m.group(1) or m.group(2) or ''),s)).strip()
            a=clean(paras[0]); b=clean(' '.join(paras[1:]))
            name=re.search(r'\b(?:fn|struct|enum|trait|type|const|mod)\s+(\w+)',block.group(1) or '')
            if len(a.split())>=4 and len(b.split())>=10 and a not in seen:
                seen.add(a); out.append({'source':'rust-docs','a':a,'b':b[:1500],'crate':os.path.basename(d)})
            elif name and len(a.split())>=8 and a not in seen:
                seen.add(a); out.append({'source':'rust-names','a':re.sub(r'_',' ',name.group(1)),'b':a[:1500],'crate':os.path.basename(d)})
    # a crate's share is bounded, so that no one API takes over
    if len(out)-n0>900:
        part=out[n0:]; random.shuffle(part); out[n0:]=part[:900]
import collections; print(len(out), collections.Counter(x['source'] for x in out)); print(collections.Counter(x['crate'] for x in out).most_common(12))
for x in random.sample(out,8): print(x['source'],'|',x['a'][:120],'|',x['b'][:160])
with gzip.open('rust-pairs.jsonl.gz','wt') as f:
    for x in out: f.write(json.dumps(x)+'\n')
